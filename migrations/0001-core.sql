-- People, what they set up, and what happened. All names live in the schema that the connection names.

create table people (
  id bigint generated always as identity primary key,
  email text unique,
  name text not null,
  role text not null check (role in ('viewer', 'editor', 'approver', 'admin')),
  time_zone text not null default 'UTC',
  created_at timestamptz not null default now()
);

-- One person, known on several platforms.
create table identities (
  platform text not null,
  platform_id text not null,
  person_id bigint not null references people on delete cascade,
  checked_at timestamptz not null default now(),
  primary key (platform, platform_id)
);

create table sources (
  id bigint generated always as identity primary key,
  name text not null unique,
  connector text not null,
  config jsonb not null,
  -- AES-256-GCM with SECRET_KEY over the secret fields as JSON.
  secrets text not null,
  created_by bigint references people on delete set null,
  created_at timestamptz not null default now()
);

create table models (
  id bigint generated always as identity primary key,
  name text not null unique,
  source_id bigint not null references sources,
  sql text not null,
  key text[] not null,
  columns jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table syncs (
  id bigint generated always as identity primary key,
  name text not null unique,
  framework text not null check (framework in ('objects', 'events', 'notify', 'audiences', 'files', 'tasks')),
  model_id bigint not null references models,
  settings jsonb not null,
  cron text not null,
  time_zone text not null,
  state text not null default 'active' check (state in ('active', 'paused')),
  -- The truth of scheduling: a sync is due when this has passed. Null while paused.
  next_due_at timestamptz,
  report_to text,
  muted_until timestamptz,
  -- Set from the first failed run on, until a run succeeds again.
  failing_since timestamptz,
  failure jsonb,
  version integer not null default 1,
  created_by bigint references people on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index syncs_due on syncs (next_due_at) where state = 'active';

create table runs (
  id bigint generated always as identity primary key,
  sync_id bigint not null references syncs on delete cascade,
  due_at timestamptz not null,
  cause text not null check (cause in ('schedule', 'manual', 'retry')),
  state text not null default 'queued' check (state in ('queued', 'reading', 'delivering', 'done', 'failed')),
  counts jsonb not null default '{}',
  error jsonb,
  fingerprint text,
  -- How the lines of its plan are laid out, so that a worker that takes over can read them.
  layout jsonb,
  requested_by bigint references people on delete set null,
  -- Where progress is shown, and the card that shows it.
  progress_to text,
  progress_message jsonb,
  -- Which worker has it, and until when that holds without a sign of life.
  worker text,
  lease_until timestamptz,
  attempts integer not null default 0,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz
);

-- One run per sync at a time.
create unique index runs_active on runs (sync_id) where state not in ('done', 'failed');
create index runs_by_sync on runs (sync_id, id desc);
create index runs_unfinished on runs (lease_until) where state not in ('done', 'failed');

-- What was said, one row per message: written before it is sent, so that a crash leaves a trace to look up.
create table deliveries (
  id uuid primary key,
  run_id bigint not null references runs on delete cascade,
  sync_id bigint not null references syncs on delete cascade,
  key text not null,
  kind text not null,
  target text not null,
  state text not null check (state in ('sending', 'ok', 'rejected', 'retry', 'unknown')),
  card jsonb,
  message jsonb,
  reason text,
  attempts integer not null default 1,
  -- A card that is edited while its row is there; closed when the row leaves.
  live boolean not null default false,
  closed_at timestamptz,
  -- Said about a change that did not reach all its targets yet: the next run must not say it again here.
  carried boolean not null default false,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  unique (run_id, key, kind, target)
);

create index deliveries_by_key on deliveries (sync_id, key, created_at desc);
create index deliveries_carried on deliveries (sync_id) where carried;
create index deliveries_unknown on deliveries (sync_id, key) where state in ('sending', 'unknown');
create index deliveries_live on deliveries (sync_id, key, target) where live and closed_at is null;

-- Answers from cards: who claimed, snoozed or set aside which row, readable as it stands.
create table reactions (
  id bigint generated always as identity primary key,
  alert text not null,
  key text not null,
  answer text not null check (answer in ('claim', 'snooze', 'not a fit')),
  person text not null,
  email text,
  at timestamptz not null default now(),
  until timestamptz,
  -- No longer in force: taken back, replaced, or run out.
  ended_at timestamptz,
  sync_id bigint not null references syncs on delete cascade,
  person_id bigint references people on delete set null,
  origin jsonb not null
);

create unique index reactions_in_force on reactions (sync_id, key, answer) where ended_at is null;
create index reactions_running_out on reactions (until) where ended_at is null and until is not null;

-- What a threshold needs to remember of each row's value: the last thirty, newest last.
create table observations (
  sync_id bigint not null references syncs on delete cascade,
  key text not null,
  recent double precision[] not null,
  firing boolean not null default false,
  run_id bigint not null,
  primary key (sync_id, key)
);

-- A command half filled in.
create table drafts (
  id bigint generated always as identity primary key,
  person_id bigint not null references people on delete cascade,
  command text not null,
  step integer not null default 0,
  answers jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- One-time links to a form on a page of the bot, for what must not be typed into a chat.
create table links (
  token_hash text primary key,
  invocation jsonb not null,
  origin jsonb not null,
  expires_at timestamptz not null,
  used_at timestamptz
);

-- When the next message to a conversation may be posted, shared by all workers.
create table paces (
  conversation text primary key,
  next_at timestamptz not null
);

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  person_id bigint references people on delete set null,
  person text not null,
  command text not null,
  input jsonb not null,
  origin jsonb not null,
  outcome text not null
);
