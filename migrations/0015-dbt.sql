-- dbt projects, each about the warehouse of a source: what of their manifests is kept, and what their runs start.

create table dbt_projects (
  id bigint generated always as identity primary key,
  name text not null unique,
  source_id bigint not null references sources on delete cascade,
  -- Where its manifest is read from.
  place text not null check (place in ('file', 'url', 'platform')),
  config jsonb not null,
  -- AES-256-GCM with SECRET_KEY over the secret fields as JSON.
  secrets text not null,
  -- Of the manifest that was read last: version, time, invocation, project, adapter.
  about jsonb,
  -- What tells whether there is another one by now: an ETag, a time and a size, a run.
  mark text,
  -- The environment that its job runs in, at the dbt platform.
  environment text,
  read_at timestamptz,
  -- When it is looked at next.
  look_at timestamptz not null default now(),
  -- Why the last manifest could not be read, in a sentence.
  trouble text,
  created_by bigint references people on delete set null,
  created_at timestamptz not null default now()
);

create table dbt_models (
  project_id bigint not null references dbt_projects on delete cascade,
  unique_id text not null,
  name text not null,
  model jsonb not null,
  -- When a run that we heard of built it last.
  built_at timestamptz,
  primary key (project_id, unique_id)
);
create index dbt_models_by_name on dbt_models (project_id, name);

-- The dbt model that a query reads.
create table dbt_links (
  model_id bigint primary key references models on delete cascade,
  project_id bigint not null references dbt_projects on delete cascade,
  unique_id text not null,
  -- The columns that its authors had written down when it was last well.
  columns text[] not null default '{}'
);

-- Runs of dbt that we were told of: stored before the teller is answered, worked off later.
create table dbt_events (
  id bigint generated always as identity primary key,
  project_id bigint not null references dbt_projects on delete cascade,
  -- The teller's own name for it, by which a repeat is known.
  event_id text not null,
  about jsonb not null,
  state text not null default 'new' check (state in ('new', 'done', 'failed')),
  note text,
  attempts integer not null default 0,
  again_at timestamptz not null,
  received_at timestamptz not null,
  unique (project_id, event_id)
);
create index dbt_events_open on dbt_events (again_at) where state = 'new';

-- Syncs that a run of dbt starts, until their run is made. One that is running runs once more.
create table dbt_starts (
  sync_id bigint primary key references syncs on delete cascade,
  at timestamptz not null
);

-- What is said in a sync's channel about its dbt model: once, and edited when it is over.
create table dbt_notices (
  id uuid primary key,
  sync_id bigint not null references syncs on delete cascade,
  -- `drift`, or the event whose tests failed.
  topic text not null,
  -- What it is about, to tell whether it is another trouble.
  problem text not null,
  card jsonb not null,
  -- The sync was paused by us, so that we resume it.
  paused boolean not null default false,
  message jsonb,
  -- What the message shows is the card.
  drawn boolean not null default false,
  again_at timestamptz not null,
  created_at timestamptz not null,
  ended_at timestamptz
);
create unique index dbt_notices_open on dbt_notices (sync_id, topic) where ended_at is null;
create index dbt_notices_to_draw on dbt_notices (again_at) where not drawn;

alter table runs drop constraint runs_cause_check;
alter table runs add constraint runs_cause_check check (cause in ('schedule', 'manual', 'retry', 'dbt'));
