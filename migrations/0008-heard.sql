-- Posts that were heard, so that of several processes that are told of one, one answers it.
create table heard (
  platform text not null,
  id text not null,
  at timestamptz not null,
  primary key (platform, id)
);
create index heard_at on heard (platform, at);
