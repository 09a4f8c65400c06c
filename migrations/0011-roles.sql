-- Somebody of another organisation may do nothing, until an admin says otherwise.
alter table people drop constraint people_role_check;
alter table people add constraint people_role_check
  check (role in ('none', 'viewer', 'editor', 'approver', 'admin'));
