-- Syncs whose rows are compared inside their warehouse: what was told of them stands there, in tables of this name.
create table warehouse_states (
  sync_id bigint primary key references syncs on delete cascade,
  source_id bigint not null references sources,
  name text not null unique check (name ~ '^[a-z0-9]+$'),
  key_orders text[] not null,
  -- Lists of columns, as JSON. A line there says by its place in here which it is laid out by; the last is in use.
  layouts jsonb not null,
  -- The run whose differences stand there and are not worked in yet.
  run_id bigint
);

-- Tables in warehouses that are of no more use, or are being made: dropped once they are a day old.
create table warehouse_litter (
  source_id bigint not null references sources on delete cascade,
  name text not null,
  since timestamptz not null default now(),
  primary key (source_id, name)
);

-- Entries of a committed chunk that what was told does not take in as they are: refused ones, as removed, stay as they
-- were, and doubtful ones, as changed, become the line that they carry.
alter table plan_chunks add column kept bytea;
