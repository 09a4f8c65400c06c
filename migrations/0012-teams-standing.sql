-- Whether somebody in Teams is a guest of the organisation, or of another one; null for its own people.
alter table teams_people add column standing text check (standing in ('guest', 'stranger'));
