-- Where rows go besides chats, and what is remembered of what was sent there.

create table destinations (
  id bigint generated always as identity primary key,
  name text not null unique,
  connector text not null,
  config jsonb not null,
  -- AES-256-GCM with SECRET_KEY over the secret fields as JSON.
  secrets text not null,
  created_by bigint references people on delete set null,
  created_at timestamptz not null default now()
);

alter table syncs add column destination_id bigint references destinations;
alter table syncs add constraint syncs_destination check ((framework = 'notify') = (destination_id is null));

-- What is written has changed, so that the next run sends everything once.
alter table syncs add column resend boolean not null default false;

-- What a run compares with: what was told so far, or nothing (everything is sent again), or it only takes note.
alter table runs add column scope text not null default 'changes' check (scope in ('changes', 'everything', 'baseline'));
-- Set when a person let a run pass the guards that had stopped it.
alter table runs add column unguarded boolean not null default false;

-- 'sending': handed over at least once; what is sent again may be there already.
alter table plan_chunks drop constraint plan_chunks_state_check;
alter table plan_chunks add constraint plan_chunks_state_check check (state in ('planned', 'sending', 'committed'));

-- Rows that a destination refused, with its reason. Kept once they are well, so that one can be asked what happened.
create table rejections (
  sync_id bigint not null references syncs on delete cascade,
  key text not null,
  state text not null default 'open' check (state in ('open', 'skip', 'skipped', 'healed')),
  reason text not null,
  field text,
  operation text not null,
  -- The row as it was refused: what is skipped is this, and not what the row may become.
  line bytea,
  first_run_id bigint not null,
  last_run_id bigint not null,
  attempts integer not null default 1,
  since timestamptz not null,
  last_at timestamptz not null,
  primary key (sync_id, key)
);
create index rejections_open on rejections (sync_id, reason) where state in ('open', 'skip');

-- Up to which moment events were sent, and the earliest of those that were refused since the run began: it is read again.
create table watermarks (
  sync_id bigint primary key references syncs on delete cascade,
  newest text,
  refused text
);

-- Jobs under way at a destination: whoever takes the run up goes on with them.
create table tickets (
  run_id bigint not null references runs on delete cascade,
  batch text not null,
  ticket text not null,
  primary key (run_id, batch)
);

-- One task per row for ever: written down before it is made.
create table tasks (
  sync_id bigint not null references syncs on delete cascade,
  key text not null,
  mark text not null,
  state text not null check (state in ('making', 'open', 'closed', 'closed by a person', 'gone')),
  external_id text,
  url text,
  note text,
  made_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (sync_id, key)
);
