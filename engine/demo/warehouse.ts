import pg from 'pg';
import type { Log } from '../contracts/log.ts';

/** How the demo warehouse moves: often enough to see something within a minute, slowly enough to read it. */
const stepMs = 3000;
const firstCrossingAtStep = 5;
const crossingEverySteps = 15;
const upgradeEverySteps = 40;
const mostWorkspaces = 400;

const setUp = `
create table plans (
  name text primary key,
  included_events integer not null,
  monthly_price numeric(8, 2) not null
);
create table account_owners (
  id integer primary key,
  name text not null,
  email text not null unique
);
create table workspaces (
  id bigint generated always as identity primary key,
  name text not null,
  plan text not null references plans,
  owner_id integer not null references account_owners,
  country text not null,
  created_at timestamptz not null
);
create table members (
  id bigint generated always as identity primary key,
  workspace_id bigint not null references workspaces on delete cascade,
  email text not null,
  joined_at timestamptz not null
);
create table usage_events (
  id bigint generated always as identity primary key,
  workspace_id bigint not null references workspaces on delete cascade,
  kind text not null,
  at timestamptz not null
);
create index usage_events_by_workspace on usage_events (workspace_id);
create index members_by_workspace on members (workspace_id);

insert into plans values ('Free', 500, 0), ('Team', 20000, 49), ('Business', 250000, 399);
insert into account_owners values
  (1, 'Mia Lopez', 'mia@northwind.example'),
  (2, 'Tom Becker', 'tom@northwind.example'),
  (3, 'Priya Nair', 'priya@northwind.example');
`;

const addWorkspaces = `
with words as (
  select array['Blue', 'Quiet', 'North', 'Bright', 'Copper', 'Green', 'Swift', 'Open', 'Silver', 'Wild', 'Clear', 'Golden'] as first,
         array['Harbor', 'Fox', 'Atlas', 'Meadow', 'Circuit', 'Forge', 'Orbit', 'Lantern', 'River', 'Summit', 'Garden', 'Bridge'] as second,
         array['Labs', 'Studio', 'Works', 'Health', 'Foods', 'Energy', 'Media', 'Logistics'] as third,
         array['France', 'Spain', 'Germany', 'United States', 'Canada', 'Brazil', 'India', 'Japan'] as country
), made as (
  insert into workspaces (name, plan, owner_id, country, created_at)
  select first[1 + floor(random() * 12)::int] || ' ' || second[1 + floor(random() * 12)::int] || ' ' || third[1 + floor(random() * 8)::int],
         case when n % 6 = 0 then 'Team' when n % 17 = 0 then 'Business' else 'Free' end,
         1 + floor(random() * 3)::int, country[1 + floor(random() * 8)::int], now() - random() * interval '90 days'
    from generate_series(1, $1::int) n, words
  returning id
), joined as (
  insert into members (workspace_id, email, joined_at)
  select id, 'user' || n || '@workspace' || id || '.example', now() - random() * interval '60 days'
    from made, generate_series(1, 2 + (id * 7 % 15)::int) n
)
insert into usage_events (workspace_id, kind, at)
select id, (array['query', 'export', 'api call'])[1 + n % 3], now() - random() * interval '30 days'
  from made, generate_series(1, 60 + (id * 37 % 380)::int) n
`;

const addEvents = `
insert into usage_events (workspace_id, kind, at)
select id, (array['query', 'export', 'api call'])[1 + floor(random() * 3)::int], now()
  from (select id from workspaces order by random() limit 6) busy, generate_series(1, 3)
`;

/** The free workspace that is nearest to its limit uses up the rest. */
const cross = `
with nearest as (
  select w.id, p.included_events - count(u.id) as missing
    from workspaces w join plans p on p.name = w.plan join usage_events u on u.workspace_id = w.id
   where w.plan = 'Free' group by w.id, p.included_events having count(u.id) < p.included_events
   order by count(u.id) desc limit 1
)
insert into usage_events (workspace_id, kind, at)
select id, 'query', now() from nearest, generate_series(1, missing + 3)
`;

/** One that has used up the free tier for a while takes a plan. */
const upgrade = `
update workspaces set plan = 'Team' where id = (
  select w.id from workspaces w join usage_events u on u.workspace_id = w.id
   where w.plan = 'Free' group by w.id having count(u.id) >= 500 order by max(u.at) limit 1)
`;

/** The query of the demo alert: free workspaces that have used up what is included, with who looks after them. */
export const freeTierUsedUp = `select w.id as workspace_id,
       w.name as workspace,
       w.country,
       count(u.id) as used,
       p.included_events as included,
       (select count(*) from members m where m.workspace_id = w.id) as members,
       o.name as owner,
       o.email as owner_email
  from workspaces w
  join plans p on p.name = w.plan
  join account_owners o on o.id = w.owner_id
  join usage_events u on u.workspace_id = w.id
 where w.plan = 'Free'
 group by w.id, p.included_events, o.id
having count(u.id) >= p.included_events`;

/** Fills an empty database with the warehouse of a company that sells software to others. */
export async function fillWarehouse(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(setUp);
    await client.query(addWorkspaces, [60]);
    await client.query('analyze');
  } finally {
    await client.end();
  }
}

/** Keeps the warehouse moving until the signal fires. */
export async function moveWarehouse(url: string, log: Log, signal: AbortSignal): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on('error', (error) => log.debug({ error: error.message }, 'demo warehouse connection lost'));
  let step = 0;
  const timer = setInterval(() => {
    step += 1;
    move(pool, step).catch((error: Error) =>
      log.warn({ error: error.message }, 'the demo warehouse stood still'),
    );
  }, stepMs);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    pool.end().catch((error: Error) => log.debug({ error: error.message }, 'demo warehouse closed'));
  });
}

async function move(pool: pg.Pool, step: number): Promise<void> {
  await pool.query(addEvents);
  if (step % crossingEverySteps === firstCrossingAtStep) {
    await pool.query(cross);
    await pool.query(addWorkspaces, [1]);
  }
  if (step % upgradeEverySteps === upgradeEverySteps - 1) {
    await pool.query(upgrade);
    await pool.query(
      `delete from workspaces where plan <> 'Free' and id in
         (select id from workspaces order by id limit greatest(0, (select count(*) from workspaces) - ${mostWorkspaces}))`,
    );
  }
}
