-- What has to be approved before it is written, and by whom: see engine/model/policy.ts.
alter table syncs add column policy jsonb not null default '{}';
-- A run of it has written something, so that the next one is no first one.
alter table syncs add column wrote boolean not null default false;
update syncs set wrote = exists (select from runs r where r.sync_id = syncs.id and r.state = 'done');

-- What the audiences' own guard held back until now.
update syncs set
  policy = jsonb_build_object('ask', 'unusual', 'removes', coalesce(settings->>'removeAtMostPercent', '50') || ' %'),
  settings = settings - 'removeAtMostPercent'
 where framework = 'audiences';

-- Who decides where a sync does not say so itself. `place` is `destination <id>` or `channel <target>`.
create table approver_lists (
  place text primary key,
  approvers text[] not null
);

-- A run that stopped before its first write, or a change of a protected sync, with what a person decided about it.
create table holds (
  id uuid primary key,
  kind text not null check (kind in ('run', 'change')),
  -- The sync or the connection, by name.
  subject text not null,
  -- Whose policies say who decides.
  syncs bigint[] not null,
  run_id bigint unique references runs on delete set null,
  -- What is done once a change is approved, as JSON, sealed: a connection's secrets may be in it.
  change text,
  state text not null default 'pending'
    check (state in ('pending', 'approved', 'rejected', 'expired', 'superseded', 'outdated')),
  fingerprint text not null,
  -- What the fingerprint is made of, part by part.
  basis jsonb not null,
  -- What its card says.
  about jsonb not null,
  requested_by bigint references people on delete set null,
  requester text,
  -- Where it is asked, as `formatTarget` writes it.
  places text[] not null,
  expires_at timestamptz not null,
  escalates_at timestamptz not null,
  escalated_at timestamptz,
  reminded_at timestamptz,
  decided_by text,
  decided_at timestamptz,
  verdict text,
  -- When an approved change was made.
  performed_at timestamptz,
  -- Counts what happened to it; cards that show an earlier revision are drawn anew.
  revision integer not null default 1,
  drawn integer not null default 0,
  -- A chat did not take its card: when to try again.
  again_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index holds_pending on holds (expires_at) where state = 'pending';
create index holds_by_subject on holds (subject, created_at desc);
create index holds_of_syncs on holds using gin (syncs) where state = 'pending';
create index holds_to_draw on holds (id) where drawn < revision;

create table votes (
  hold_id uuid not null references holds on delete cascade,
  person_id bigint not null,
  person text not null,
  approves boolean not null,
  reason text,
  at timestamptz not null default clock_timestamp(),
  primary key (hold_id, person_id)
);

-- Somebody who may decide handed the decision on to somebody else, too.
create table delegates (
  hold_id uuid not null references holds on delete cascade,
  person_id bigint not null references people on delete cascade,
  person text not null,
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (hold_id, person_id)
);

alter table runs drop constraint runs_state_check;
alter table runs add constraint runs_state_check
  check (state in ('queued', 'reading', 'held', 'delivering', 'done', 'failed'));
-- It stopped and asked, whatever was said.
alter table runs add column held boolean not null default false;
alter table runs drop column unguarded;

-- What is said about a hold outlives its run.
alter table deliveries alter column run_id drop not null;
alter table deliveries alter column sync_id drop not null;
alter table deliveries add column hold_id uuid references holds on delete cascade;
alter table deliveries add constraint deliveries_about check ((run_id is null) = (hold_id is not null));
create unique index deliveries_of_hold on deliveries (hold_id, key, kind, target) where hold_id is not null;
