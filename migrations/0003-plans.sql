-- What has been told so far, per sync, and the plan of each run. Both in chunks of a few thousand rows: there is no
-- table with a row per row of a model. Keys are kept in a form whose bytes sort as the planner sorts.

create table snapshots (
  sync_id bigint primary key references syncs on delete cascade,
  -- Chunks of other generations are leftovers of a baseline that did not finish.
  generation bigint not null,
  key_orders text[] not null,
  columns text[] not null
);

create table snapshot_chunks (
  sync_id bigint not null references syncs on delete cascade,
  generation bigint not null,
  first_key bytea not null,
  last_key bytea not null,
  rows integer not null,
  raw_bytes integer not null,
  -- xxhash64 of the lines as the source writes them: a stretch of the stream that hashes the same has no changes.
  hash bytea not null,
  data bytea not null,
  primary key (sync_id, generation, first_key)
);

create table plan_chunks (
  run_id bigint not null references runs on delete cascade,
  seq integer not null,
  first_key bytea not null,
  last_key bytea not null,
  added integer not null,
  changed integer not null,
  removed integer not null,
  silent integer not null,
  entries bytea not null,
  state text not null default 'planned' check (state in ('planned', 'committed')),
  primary key (run_id, seq)
);

-- Compressed already.
alter table snapshot_chunks alter column data set storage external;
alter table plan_chunks alter column entries set storage external;
