import { describe, expect, it } from 'vitest';
import { withoutSemicolon } from '../../../engine/contracts/sql.ts';
import { proveSelect } from '../../../engine/sql/guard.ts';

const safe = [
  'select 1',
  'select 1;',
  'SELECT 1 ; -- done\n',
  '(select 1)',
  '((select 1) union all (select 2)) order by 1',
  'with a as (select 1 as x) select * from a',
  'with recursive t(n) as (values (1) union all select n + 1 from t where n < 5) select n from t',
  'values (1), (2)',
  'table accounts',
  "select 'delete from t; drop table t'",
  "select 'it''s; fine' as \"a;b\"",
  'select $$; drop table t; $$ as body',
  'select $a$ $$; delete from t $a$',
  "select E'\\'; delete from t'",
  'select 1 /* ; drop table t /* nested; */ still; */ + 1',
  'select 1 -- ; drop table t',
  'select update, "delete", t.insert, merge from t',
  'select x as into, y as update from t',
  'select (update), count(*) as delete from t',
  'select a from t where b = $tag$pg_sleep(1)$tag$',
  "select 'pg_sleep(1)', pg_sleeping from t",
  'select substring(name from 1 for 3) from t',
  "select data->>'a', data #>> '{b,c}', tags[1:2], x::numeric(10,2) from t",
  'select region, sum(x) filter (where y) from t group by grouping sets ((region), ())',
  'select * from a left join lateral (select * from b where b.id = a.id limit 1) b on true',
  "select date_trunc('day', at) at time zone 'UTC', percentile_cont(0.5) within group (order by x) from t group by 1",
  'select row_number() over w from t window w as (partition by a order by b rows between 1 preceding and current row)',
  'select naïve, größe from tëst',
];

const unsafe: readonly (readonly [sql: string, says: RegExp])[] = [
  ['', /empty/],
  [' ; -- nothing', /empty/],
  ['select 1; select 2', /two statements.*line 1/],
  ['select 1;\ndrop table t', /two statements.*line 2.*drop/],
  ['delete from t', /begins with “delete”/],
  ['(delete from t returning 1)', /begins with “delete”/],
  ['insert into t values (1)', /begins with “insert”/],
  ['copy t to program $$id$$', /begins with “copy”/],
  ['call p()', /begins with “call”/],
  ['do $$ begin end $$', /begins with “do”/],
  ['set role admin', /begins with “set”/],
  ['explain analyze delete from t', /begins with “explain”/],
  ['with d as (delete from t returning *) select * from d', /DELETE in line 1/],
  ['with d as materialized (delete from t returning *) select * from d', /DELETE/],
  ['with d as (update t set a = 1 returning *) select * from d', /UPDATE/],
  ['with d as (update "t" set a = 1 returning *) select * from d', /UPDATE/],
  ['with a as (select 1) delete from t', /DELETE/],
  ['with a as (select 1)\n/* x */ insert into t select 1', /INTO|INSERT/],
  ['with a as (select 1) merge into t using a on true when matched then delete', /MERGE/],
  ['select * into copy_of_t from t', /INTO in line 1/],
  ['select * from t for update', /FOR UPDATE/],
  ['select * from t for no key update', /FOR NO/],
  ['select * from t for share of t', /FOR SHARE/],
  ['select pg_sleep(10)', /pg_sleep\(\) in line 1 makes the database wait/],
  ["select PG_SLEEP_FOR ('1s')", /pg_sleep_for/],
  ['select "pg_sleep"(1)', /pg_sleep/],
  ['select pg_catalog.pg_sleep(1)', /pg_sleep/],
  ['select pg_sleep/* c */(1)', /pg_sleep/],
  ['select U&"pg\\005fsleep"(1)', /code points/],
  ['select pg_terminate_backend(1)', /other sessions/],
  ["select set_config('statement_timeout', '0', false)", /settings/],
  ["select lo_import('/etc/passwd')", /large objects/],
  ["select * from dblink('x', 'y') as t(a int)", /connections/],
  ["select pg_read_file('/etc/passwd')", /files/],
  ['select pg_advisory_lock(1)', /locks/],
  ["select nextval('s')", /sequence/],
  ["select pg_notify('a', 'b')", /notifications/],
  ["select query_to_xml('delete from t', true, true, '')", /text as SQL/],
  ['select 1into copy_of_t from t', /INTO/],
  ["select E'a'\n'\\' ' || pg_sleep(1) || ' '", /pg_sleep/],
  ["select E'a' -- x\n'\\' ' || pg_sleep(1) || ' '", /pg_sleep/],
  ['select 1.5e3+pg_sleep(1)', /pg_sleep/],
  ['select $1::int', /placeholder, \$1/],
];

describe('proveSelect', () => {
  it.each(safe)('lets through: %s', async (sql) => {
    await expect(proveSelect(sql, 'postgresql')).resolves.toBeUndefined();
  });

  it.each(unsafe)('refuses: %s', async (sql, says) => {
    await expect(proveSelect(sql, 'postgresql')).rejects.toMatchObject({
      code: 'SQL_UNSAFE',
      message: expect.stringMatching(says),
      fix: expect.stringMatching(/\.$/),
    });
  });
});

describe('withoutSemicolon', () => {
  it.each([
    ['select 1', 'select 1'],
    ['select 1;', 'select 1'],
    ['select 1 ; ; -- done', 'select 1 '],
    ["select ';--'", "select ';--'"],
    ['select 1 -- a;', 'select 1 -- a;'],
    ["select 'a;", "select 'a;"],
  ])('%s', (sql, expected) => {
    expect(withoutSemicolon(sql, 'postgresql')).toBe(expected);
  });
});
