-- How far the logs of a source that wants them have been written to its planner schema. `writer` tells installations that
-- share a schema apart.
create table warehouse_logs (
  source_id bigint primary key references sources on delete cascade,
  writer text not null,
  run_at timestamptz not null default '-infinity',
  run_id bigint not null default 0,
  reaction_at timestamptz not null default '-infinity',
  reaction_id bigint not null default 0
);

create index runs_finished on runs (finished_at, id) where state in ('done', 'failed');
