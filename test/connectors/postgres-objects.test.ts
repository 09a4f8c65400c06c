import { type AddressInfo, connect, createServer } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgres } from '../../connectors/postgres/index.ts';
import type {
  Call,
  FieldUse,
  ObjectBatch,
  Objects,
  Operation,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import { call, type Opened, openFor } from '../support/connect.ts';
import { type Struck, startGate } from '../support/gate.ts';
import { type FreshDb, freshDb } from '../support/postgres.ts';

let fresh: FreshDb;
let admin: pg.Client;
let opened: Opened;
let objects: Objects;

beforeAll(async () => {
  fresh = await freshDb();
  admin = new pg.Client(fresh.url);
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query('set search_path to public');
  opened = await openFor(postgres, { url: fresh.url });
  objects = opened.connection.objects as Objects;
});

afterAll(async () => {
  await opened.close();
  await admin.end();
  await fresh.close();
});

let made = 0;

/** A table of its own for one test, as `public.name`. */
async function table(columns: string, ...more: readonly string[]): Promise<string> {
  made += 1;
  const name = `public.t${made}`;
  await admin.query(`create table ${name} (${columns})`);
  for (const statement of more) {
    await admin.query(statement.replaceAll('$t', name));
  }
  return name;
}

type Row = Readonly<Record<string, Value>>;

/** A batch whose fields are those of its rows together; what not all rows have is sparse. */
function batchOf(
  object: string,
  operation: Operation,
  rows: readonly Row[],
  { match = ['id'], onlyIfEmpty = [] }: { match?: readonly string[]; onlyIfEmpty?: readonly string[] } = {},
): ObjectBatch {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const fields = names.map(
    (name): FieldUse => ({
      name,
      onlyIfEmpty: onlyIfEmpty.includes(name),
      sparse: rows.some((row) => row[name] === undefined),
    }),
  );
  return {
    object,
    operation,
    match,
    fields,
    items: rows.map((values, i) => ({ key: String(i), values })),
  };
}

const write = (batch: ObjectBatch, given: Partial<Call> = {}): Promise<readonly Outcome[]> =>
  objects.write(batch, call(given));

const upsert = (
  object: string,
  rows: readonly Row[],
  how?: Parameters<typeof batchOf>[3],
): Promise<readonly Outcome[]> => write(batchOf(object, 'upsert', rows, how));

async function rowsOf(object: string, columns = '*'): Promise<readonly Row[]> {
  return (await admin.query<Row>(`select ${columns} from ${object} order by 1`)).rows;
}

const states = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ state }) => state);

/** Makes a table note by which statement rows were written to it. */
const tellingHow = [
  'create table if not exists how_written (at serial, t text, how text)',
  `create or replace function tell_how() returns trigger language plpgsql security definer as $f$
   begin
     insert into public.how_written (t, how) values (tg_table_name, substring(current_query() from '(COPY|INSERT|UPDATE|DELETE)'));
     return null;
   end $f$`,
  'create trigger tell_how after insert on $t for each statement execute function tell_how()',
];

async function howWritten(t: string): Promise<readonly string[]> {
  const text = 'select how from how_written where t = $1 order by at';
  return (await admin.query<{ how: string }>(text, [t.slice('public.'.length)])).rows.map(({ how }) => how);
}

/** Another role with the rights that these statements give it; `$r` is its name. */
async function openAs(...grants: readonly string[]): Promise<Opened & { readonly role: string }> {
  made += 1;
  const role = `writer_${process.pid}_${Date.now().toString(36)}_${made}`;
  await admin.query(`create role ${role} login password 'writing'`);
  for (const grant of grants) {
    await admin.query(grant.replaceAll('$r', role));
  }
  const url = new URL(fresh.url);
  url.username = role;
  url.password = 'writing';
  return { ...(await openFor(postgres, { url: url.href })), role };
}

const objectsIn = ({ connection }: Opened): Objects => connection.objects as Objects;

describe('an upsert', () => {
  it('makes new rows and changes those that are there', async () => {
    const t = await table('id int primary key, name text', "insert into $t values (1, 'a'), (2, 'b')");

    const outcomes = await upsert(t, [
      { id: 2, name: 'B' },
      { id: 3, name: 'c' },
    ]);

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(await rowsOf(t)).toEqual([
      { id: 1, name: 'a' },
      { id: 2, name: 'B' },
      { id: 3, name: 'c' },
    ]);
  });

  it('leaves rows alone that are as they should be', async () => {
    const t = await table(
      'id int primary key, n numeric(10,2), j json, p point, at timestamptz(0)',
      `insert into $t values (1, 1.5, '{"a":1}', '(1,2)', '2026-01-01T00:00:01Z')`,
    );
    const row = { id: 1, n: '1.501', j: { a: 1 }, p: '(1,2)', at: '2026-01-01T00:00:00.9Z' };
    const before = await rowsOf(t, 'xmin::text, ctid::text');

    const outcomes = [...(await upsert(t, [row])), ...(await write(batchOf(t, 'update', [row])))];

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(await rowsOf(t, 'xmin::text, ctid::text')).toEqual(before);
  });

  it('finds rows by several columns, in whatever order', async () => {
    const t = await table('a int, b text, n int, primary key (a, b)', "insert into $t values (1, 'x', 1)");

    await upsert(
      t,
      [
        { b: 'x', a: 1, n: 2 },
        { b: 'y', a: 1, n: 3 },
      ],
      { match: ['b', 'a'] },
    );

    expect(await rowsOf(t, 'b, a, n')).toEqual([
      { a: 1, b: 'x', n: 2 },
      { a: 1, b: 'y', n: 3 },
    ]);
  });

  it('takes more values at once than a statement has parameters', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `c${i}`);
    const t = await table(`id int primary key, ${names.map((name) => `${name} int`).join(', ')}`);
    const rows = Array.from({ length: 10_000 }, (_, id) => ({
      id,
      ...Object.fromEntries(names.map((name, i) => [name, id + i])),
    }));

    const outcomes = await upsert(t, rows);

    expect(outcomes.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(await rowsOf(t, 'count(*)::int, sum(c7)::text')).toEqual([{ count: 10_000, sum: '50065000' }]);
  });

  it('takes two keys that only the database finds equal', async () => {
    const t = await table('id numeric primary key, name text');

    const outcomes = await upsert(t, [
      { id: '1', name: 'first' },
      { id: '1.0', name: 'second' },
    ]);

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(await rowsOf(t, 'name')).toEqual([{ name: 'second' }]);
  });

  it('fills an empty table by COPY, and no longer when a row turns out to be there', async () => {
    const t = await table("id int primary key, name text, kind text default 'new'", ...tellingHow);
    const rows = (from: number, name: string): Row[] =>
      Array.from({ length: 1500 }, (_, i) => ({ id: from + i, name }));

    const first = await upsert(t, rows(0, 'a'));
    const second = await upsert(t, rows(1400, 'b'));
    const third = await upsert(t, rows(2900, 'c'));

    expect(new Set(states([...first, ...second, ...third]))).toEqual(new Set(['ok']));
    expect(await howWritten(t)).toEqual(['COPY', 'INSERT', 'INSERT']);
    expect(
      await rowsOf(t, "count(*)::int, count(*) filter (where name = 'a' and kind = 'new')::int as a"),
    ).toEqual([{ count: 4400, a: 1400 }]);
  });

  it('fills by COPY again after a batch with a row that was refused', async () => {
    const t = await table('id int primary key, name text check (length(name) < 5)', ...tellingHow);
    const rows = (from: number, bad: string): Row[] =>
      Array.from({ length: 1000 }, (_, i) => ({ id: from + i, name: i === 7 ? bad : 'ok' }));

    const outcomes = [
      ...(await upsert(t, rows(0, 'too long'))),
      ...(await upsert(t, rows(1000, 'a\0b'))),
      ...(await write(batchOf(t, 'insert', rows(2000, 'fine')))),
    ];

    expect(outcomes.flatMap(({ state }, i) => (state === 'ok' ? [] : [i]))).toEqual([7, 1007]);
    expect(new Set((await howWritten(t)).slice(0, -1))).toEqual(new Set(['INSERT']));
    expect((await howWritten(t)).at(-1)).toBe('COPY');
    expect(await rowsOf(t, 'count(*)::int')).toEqual([{ count: 2998 }]);
  });

  it.each([
    [
      'row level security',
      'alter table $t enable row level security',
      'create policy all_ on $t using (true) with check (true)',
    ],
    [
      'rules',
      'create rule also as on insert to $t where false do also delete from how_written where false',
      'select 1',
    ],
  ])('does not fill by COPY what has %s', async (_, ...statements) => {
    const t = await table('id int primary key', ...tellingHow, ...statements);
    const writer = await openAs(`grant select, insert, update on ${t} to $r`);
    const rows = Array.from({ length: 1000 }, (_row, id) => ({ id }));

    const outcomes = await objectsIn(writer).write(batchOf(t, 'insert', rows, { match: [] }), call());

    expect(new Set(states(outcomes))).toEqual(new Set(['ok']));
    expect(await howWritten(t)).toEqual(['INSERT']);
    await writer.close();
  });

  it('of two writers that go in opposite orders over the same rows blocks neither', async () => {
    const t = await table(
      'id int primary key, n int',
      'insert into $t select i, 0 from generate_series(1, 2000) i',
    );
    const up = Array.from({ length: 2000 }, (_, i) => ({ id: i + 1, n: 1 }));
    const down = up.map(({ id }) => ({ id, n: 2 })).toReversed();

    const all = await Promise.all([upsert(t, up), upsert(t, down), upsert(t, up), upsert(t, down)]);

    expect(new Set(all.flatMap(states))).toEqual(new Set(['ok']));
  });

  it('writes through to the partitions of a table', async () => {
    const t = await table(
      'day date, id int, n int, primary key (day, id)) partition by range (day',
      "create table $t_a partition of $t for values from ('2026-01-01') to ('2026-02-01')",
    );

    const outcomes = await upsert(
      t,
      [
        { day: '2026-01-05', id: 1, n: 1 },
        { day: '2026-07-05', id: 1, n: 1 },
      ],
      { match: ['day', 'id'] },
    );

    expect(states(outcomes)).toEqual(['ok', 'rejected']);
    expect(await rowsOf(`${t}_a`, 'n')).toEqual([{ n: 1 }]);
  });

  it('takes any name for a table and its columns', async () => {
    await admin.query(
      'create schema "odd ""s"; create table "odd ""s"."T.x" ("a ""b" int primary key, "Ünï $1" text, "excluded" text)',
    );

    const outcomes = await upsert('"odd ""s"."T.x"', [{ 'a "b': 1, 'Ünï $1': 'x', excluded: 'y' }], {
      match: ['a "b'],
    });

    expect(states(outcomes)).toEqual(['ok']);
    expect(await rowsOf('"odd ""s"."T.x"')).toEqual([{ 'a "b': 1, 'Ünï $1': 'x', excluded: 'y' }]);
  });
});

describe('a field that an item leaves out', () => {
  const columns = "id int primary key, a text default 'new', b text not null default 'B'";

  it('is left alone, and a null empties it', async () => {
    const t = await table(columns, "insert into $t values (1, 'x', 'y'), (2, 'x', 'y'), (3, 'x', 'y')");

    await upsert(t, [{ id: 1, b: 'z' }, { id: 2, a: null, b: 'z' }, { id: 3, a: 'w' }, { id: 4 }]);

    expect(await rowsOf(t)).toEqual([
      { id: 1, a: 'x', b: 'z' },
      { id: 2, a: null, b: 'z' },
      { id: 3, a: 'w', b: 'y' },
      { id: 4, a: 'new', b: 'B' },
    ]);
  });

  it('is left alone by an update too', async () => {
    const t = await table(columns, "insert into $t values (1, 'x', 'y'), (2, 'x', 'y')");

    const outcomes = await write(
      batchOf(t, 'update', [{ id: 1, b: 'z' }, { id: 2, a: null }, { id: 3 }, { id: 1, a: 'q', b: 'z' }]),
    );

    expect(states(outcomes)).toEqual(['ok', 'ok', 'rejected', 'ok']);
    expect(await rowsOf(t)).toEqual([
      { id: 1, a: 'q', b: 'z' },
      { id: 2, a: null, b: 'y' },
    ]);
  });

  it('gets its default in a new row', async () => {
    const t = await table(columns);

    await write(
      batchOf(t, 'insert', [
        { id: 1, a: 'x' },
        { id: 2, b: 'x' },
      ]),
    );

    expect(await rowsOf(t)).toEqual([
      { id: 1, a: 'x', b: 'B' },
      { id: 2, a: 'new', b: 'x' },
    ]);
  });
});

it('fills only what is empty where a field is to be filled only then', async () => {
  const t = await table(
    'id int primary key, a text, b text',
    "insert into $t values (1, null, 'b'), (2, 'a', 'b')",
  );
  const rows = [
    { id: 1, a: 'A', b: 'B' },
    { id: 2, a: 'A', b: 'B' },
    { id: 3, a: 'A', b: 'B' },
  ];

  await upsert(t, rows, { onlyIfEmpty: ['a'] });
  await write(batchOf(t, 'update', rows, { onlyIfEmpty: ['b'] }));

  expect(await rowsOf(t)).toEqual([
    { id: 1, a: 'A', b: 'B' },
    { id: 2, a: 'A', b: 'B' },
    { id: 3, a: 'A', b: 'B' },
  ]);
});

describe('an insert', () => {
  it('refuses rows that are there already, and makes the others', async () => {
    const t = await table('id int primary key, name text', "insert into $t values (2, 'old')");
    const rows = [1, 2, 3].map((id) => ({ id, name: 'new' }));

    const outcomes = await write(batchOf(t, 'insert', rows));

    expect(outcomes).toEqual([
      { state: 'ok' },
      { state: 'rejected', reason: `There is a row of ${t} with this id already.`, field: 'id' },
      { state: 'ok' },
    ]);
    expect(await rowsOf(t)).toEqual([
      { id: 1, name: 'new' },
      { id: 2, name: 'old' },
      { id: 3, name: 'new' },
    ]);
  });

  it('takes rows that are there for its own when it is tried again', async () => {
    const t = await table('id int primary key, name text');
    const batch = batchOf(t, 'insert', [{ id: 1, name: 'a' }]);

    await write(batch);

    expect(states(await write(batch, { again: true }))).toEqual(['ok']);
    expect(await rowsOf(t)).toHaveLength(1);
  });

  it('needs nothing to match by', async () => {
    const t = await table('id int generated always as identity, name text');

    const outcomes = await write(batchOf(t, 'insert', [{ name: 'a' }, { name: 'a' }], { match: [] }));

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(await rowsOf(t)).toHaveLength(2);
  });
});

describe('an update', () => {
  it('refuses rows that it finds nothing for', async () => {
    const t = await table('id int primary key, name text', "insert into $t values (1, 'a'), (2, 'b')");

    const outcomes = await write(
      batchOf(t, 'update', [
        { id: 7, name: 'x' },
        { id: 2, name: 'B' },
        { id: 1, name: 'a' },
      ]),
    );

    expect(outcomes).toEqual([
      { state: 'rejected', reason: `There is no row of ${t} with this id.`, field: 'id' },
      { state: 'ok' },
      { state: 'ok' },
    ]);
    expect(await rowsOf(t)).toEqual([
      { id: 1, name: 'a' },
      { id: 2, name: 'B' },
    ]);
  });
});

describe('a delete', () => {
  it('removes rows, and takes those that are gone for removed', async () => {
    const t = await table('id int primary key, name text', "insert into $t values (1, 'a'), (2, 'b')");

    const outcomes = await write(batchOf(t, 'delete', [{ id: 2 }, { id: 9 }]));

    expect(states(outcomes)).toEqual(['ok', 'ok']);
    expect(await rowsOf(t, 'id')).toEqual([{ id: 1 }]);
  });

  it('refuses rows that others refer to', async () => {
    const t = await table(
      'id int primary key',
      'insert into $t values (1), (2)',
      'create table $t_of (t int constraint of_t references $t)',
      'insert into $t_of values (1)',
    );

    const outcomes = await write(batchOf(t, 'delete', [{ id: 1 }, { id: 2 }]));

    expect(outcomes).toMatchObject([
      { state: 'rejected', reason: `Other rows still refer to this row of ${t} (of_t).` },
      { state: 'ok' },
    ]);
    expect(await rowsOf(t)).toEqual([{ id: 1 }]);
  });
});

describe('values', () => {
  const exact: readonly (readonly [type: string, value: Value, stored: string | null])[] = [
    ['bigint', '9223372036854775807', '9223372036854775807'],
    ['bigint', 42, '42'],
    ['numeric', '123456789012345678901234567890.123456789000', '123456789012345678901234567890.123456789000'],
    ['numeric(10,2)', '1.005', '1.01'],
    ['numeric', -1.5e-7, '-0.00000015'],
    ['double precision', 0.1, '0.1'],
    ['boolean', true, 'true'],
    ['boolean', false, 'false'],
    ['text', true, 'true'],
    ['text', 1, '1'],
    ['text', '', ''],
    ['text', null, null],
    ['text', 'NULL', 'NULL'],
    ['text', '\\N', '\\N'],
    ['text', 'a\tb\nc\rd\\e"f\'g{h},i', 'a\tb\nc\rd\\e"f\'g{h},i'],
    ['text', ' 👍 ü ', ' 👍 ü '],
    ['text', { a: 1 }, '{"a":1}'],
    ['char(3)', 'a', 'a'],
    ['bit(3)', '101', '101'],
    ['date', '2026-01-02', '2026-01-02'],
    ['timestamptz', '2026-01-02T23:30:00.123456Z', '2026-01-02 23:30:00.123456+00'],
    ['timestamp', '2026-01-02T23:30:00.123456Z', '2026-01-02 23:30:00.123456'],
    ['time', '10:00:01.5', '10:00:01.5'],
    ['interval', '1 day 02:00:00', '1 day 02:00:00'],
    ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['inet', '10.0.0.1', '10.0.0.1/32'],
    ['box', '(2,2),(1,1)', '(2,2),(1,1)'],
    ['bytea', Buffer.from([0, 255, 92]).toString('base64'), '\\x00ff5c'],
    ['jsonb', { a: [1, null, 'x"y\\z'] }, '{"a": [1, null, "x\\"y\\\\z"]}'],
    ['jsonb', [1, 'a'], '[1, "a"]'],
    ['jsonb', 'a string', '"a string"'],
    ['jsonb', 7, '7'],
    ['jsonb', 'a\\u0000b', '"a\\\\u0000b"'],
    ['json', { b: 1 }, '{"b":1}'],
    ['text[]', ['a,b', 'c"d\\', '', null, 'NULL'], '{"a,b","c\\"d\\\\","",NULL,"NULL"}'],
    [
      'int[]',
      [
        [1, 2],
        [3, 4],
      ],
      '{{1,2},{3,4}}',
    ],
    ['int[]', [], '{}'],
    ['int[]', '{7,8}', '{7,8}'],
    ['jsonb[]', [{ a: 1 }, [1]], '{"{\\"a\\": 1}",[1]}'],
  ];

  it.each(exact)('are kept: %s %j', async (type, value, stored) => {
    const t = await table(`id int primary key, v ${type}`);

    const inserted = await upsert(t, [{ id: 1, v: value }]);
    const updated = await write(batchOf(t, 'update', [{ id: 1, v: value }]));

    expect([...inserted, ...updated]).toEqual([{ state: 'ok' }, { state: 'ok' }]);
    await admin.query("set timezone to 'UTC'");
    expect(await rowsOf(t, 'v::text')).toEqual([{ v: stored }]);
  });

  it('are kept likewise where a table is filled by COPY', async () => {
    // Bytes go by INSERT, and so does what only looks like U+0000.
    const kinds = exact.filter(([type, value]) => type !== 'bytea' && value !== 'a\\u0000b');
    const t = await table(
      `id int primary key, ${kinds.map(([type], i) => `v${i} ${type}`).join(', ')}`,
      ...tellingHow,
    );
    const values = Object.fromEntries(kinds.map(([, value], i) => [`v${i}`, value]));

    const outcomes = await upsert(
      t,
      Array.from({ length: 1000 }, (_, id) => ({ id, ...values })),
    );

    expect(new Set(states(outcomes))).toEqual(new Set(['ok']));
    expect(await howWritten(t)).toEqual(['COPY']);
    await admin.query("set timezone to 'UTC'");
    const texts = kinds.map((_, i) => `v${i}::text`).join(', ');
    expect((await admin.query(`select distinct ${texts} from ${t}`)).rows).toEqual([
      Object.fromEntries(kinds.map(([, , stored], i) => [`v${i}`, stored])),
    ]);
  });

  const refused: readonly (readonly [type: string, value: Value, reason: RegExp])[] = [
    ['text', 'a\0b', /^v holds the character U\+0000/],
    ['jsonb', { a: ['x\0'] }, /^v holds the character U\+0000/],
    ['jsonb', ['\\\0'], /^v holds the character U\+0000/],
    ['text', 'a\ud800b', /^v holds half of a character/],
    ['jsonb', 'a\ud800b', /^v holds half of a character/],
    ['text[]', ['a\0'], /^v holds the character U\+0000/],
    ['varchar(3)', 'abcd', /^v is too long/],
    ['char(3)', 'abcd', /^v is too long/],
    ['smallint', 70_000, /^v is a number out of range/],
    ['numeric(4,2)', '1000', /^v is a number out of range/],
    ['int', 'secret-value', /^v does not have the form/],
    ['uuid', 'secret-value', /^v does not have the form/],
    ['boolean', 'secret-value', /^v does not have the form/],
    ['int', '1},{2', /^v does not have the form/],
    ['date', '2026-02-30', /^v is no date or time/],
    ['timestamptz', 'secret-value', /^v is no date or time/],
    ['bytea', 'secret value', /^v takes bytes/],
    ['int not null', null, /^v can't be empty/],
    ['int check (v > 0)', -1, /^The row breaks a rule of public\.t\d+ \(t\d+_v_check\)/],
  ];

  it.each(refused)('are refused and not repeated: %s %j', async (type, value, reason) => {
    const t = await table(`id int primary key, v ${type}, w varchar(2)`);
    const good = { id: 1, v: /int|numeric/.test(type) ? 5 : null, w: 'x' };

    const outcomes = await upsert(t, [good, { id: 2, v: value, w: 'y' }]);

    expect(outcomes).toEqual([
      { state: 'ok' },
      {
        state: 'rejected',
        reason: expect.stringMatching(reason),
        field: 'v',
      },
    ]);
    expect(JSON.stringify(outcomes)).not.toContain('secret');
    expect(await rowsOf(t, 'id')).toEqual([{ id: 1 }]);
  });
});

describe('a bad row', () => {
  it('is found among many, and the others are written', async () => {
    const t = await table('id int primary key, email text unique, n int check (n < 100000)');
    const rows = Array.from({ length: 1000 }, (_, i) => ({
      id: i,
      email: i === 501 ? 'e500' : `e${i}`,
      n: i === 7 || i === 999 ? 100_000 : i,
    }));

    const outcomes = await upsert(t, rows);

    const rejected = outcomes.flatMap((outcome, i) => (outcome.state === 'ok' ? [] : [{ i, ...outcome }]));
    const table_ = t.slice('public.'.length);
    expect(rejected).toEqual([
      { i: 7, state: 'rejected', reason: `The row breaks a rule of ${t} (${table_}_n_check).`, field: 'n' },
      {
        i: 501,
        state: 'rejected',
        reason: `Another row of ${t} has the same email (${table_}_email_key).`,
        field: 'email',
      },
      { i: 999, state: 'rejected', reason: `The row breaks a rule of ${t} (${table_}_n_check).`, field: 'n' },
    ]);
    expect(await rowsOf(t, 'count(*)::int')).toEqual([{ count: 997 }]);
  });

  it('is found where a constraint waits for the end of the transaction', async () => {
    const parent = await table('id int primary key');
    const t = await table(
      `id int primary key, parent int references ${parent} deferrable initially deferred`,
    );

    const outcomes = await upsert(t, [
      { id: 1, parent: null },
      { id: 2, parent: 5 },
    ]);

    expect(outcomes).toMatchObject([
      { state: 'ok' },
      {
        state: 'rejected',
        reason: expect.stringContaining('refers to a row that is not there'),
        field: 'parent',
      },
    ]);
    expect(await rowsOf(t, 'id')).toEqual([{ id: 1 }]);
  });

  it('is one that a trigger refuses', async () => {
    const t = await table(
      'id int primary key, n int',
      `create function refuse() returns trigger language plpgsql as $f$
       begin if new.n > 5 then raise exception 'secret %', new.n; end if; return new; end $f$`,
      'create trigger refuse before insert or update on $t for each row execute function refuse()',
    );

    const outcomes = await upsert(t, [
      { id: 1, n: 9 },
      { id: 2, n: 1 },
    ]);

    expect(outcomes).toEqual([
      { state: 'rejected', reason: `A trigger of ${t} refused the row (PostgreSQL's code P0001).` },
      { state: 'ok' },
    ]);
  });

  it('is one that row level security does not let in', async () => {
    const t = await table(
      'id int primary key, owner text',
      'alter table $t enable row level security',
      "create policy mine on $t using (owner = 'us') with check (owner = 'us')",
    );
    const writer = await openAs(`grant select, insert, update on ${t} to $r`);

    const outcomes = await objectsIn(writer).write(
      batchOf(t, 'upsert', [
        { id: 1, owner: 'us' },
        { id: 2, owner: 'them' },
      ]),
      call(),
    );

    expect(outcomes).toMatchObject([
      { state: 'ok' },
      { state: 'rejected', reason: `Row level security of ${t} does not let this row be written.` },
    ]);
    await writer.close();
  });
});

describe('a batch as a whole', () => {
  it('is refused when a column is gone, the table is gone, or the right', async () => {
    const t = await table('id int primary key, name text');
    const writer = await openAs(`grant select, insert, update on ${t} to $r`);
    const batch = batchOf(t, 'upsert', [{ id: 1, name: 'a' }]);
    const attempt = (): Promise<readonly Outcome[]> => objectsIn(writer).write(batch, call());
    await attempt();

    await admin.query(`revoke update on ${t} from ${writer.role}`);
    await expect(attempt()).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fix: `Run: GRANT SELECT, INSERT, UPDATE ON ${t} TO ${writer.role};`,
    });
    await admin.query(`grant update on ${t} to ${writer.role}; alter table ${t} rename name to other`);
    await expect(attempt()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(attempt()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `${t} has no column name (any more).`,
    });
    await admin.query(`drop table ${t}`);
    await expect(attempt()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await writer.close();
  });

  it.each(['insert', 'upsert'] as const)(
    'is refused where no unique index tells rows apart: %s',
    async (operation) => {
      const t = await table('id int, name text');
      const rows = Array.from({ length: 1500 }, (_, id) => ({ id, name: 'a' }));

      await expect(write(batchOf(t, operation, rows))).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: `${t} has no unique index on id. Run: CREATE UNIQUE INDEX ON ${t} (id);`,
      });
      expect(await rowsOf(t)).toEqual([]);
      await admin.query(`create unique index on ${t} (id)`);
      expect(new Set(states(await write(batchOf(t, operation, rows))))).toEqual(new Set(['ok']));
    },
  );

  it('waits where the server takes no changes', async () => {
    const t = await table('id int primary key');
    const writer = await openAs(
      `grant select, insert, update on ${t} to $r`,
      'alter role $r set default_transaction_read_only = on',
    );

    await expect(objectsIn(writer).write(batchOf(t, 'upsert', [{ id: 1 }]), call())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(await writer.connection.check('objects')).toContain(
      'The role is set to read only (default_transaction_read_only).',
    );
    await writer.close();
  });

  it('writes nothing when the server ends the connection', async () => {
    const t = await table('id int primary key, n int', 'insert into $t values (1, 0)');
    const holder = await holding(`update ${t} set n = 5 where id = 1`);
    const writing = upsert(t, [
      { id: 2, n: 1 },
      { id: 1, n: 1 },
    ]);
    const ended = expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await untilWaiting();

    await admin.query(waiting.replace('pid as n', 'pg_terminate_backend(pid) as n'));
    await ended;

    await holder.query('commit');
    await holder.end();
    expect(await rowsOf(t)).toEqual([{ id: 1, n: 5 }]);
  });

  it('is tried again after a deadlock', async () => {
    const t = await table('id int primary key, n int', 'insert into $t values (1, 0), (2, 0)');
    const holder = await holding(`update ${t} set n = 5 where id = 2`);
    // Whose wait is looked at first gives way: not the holder's.
    await holder.query("set local deadlock_timeout = '10min'");
    const writing = upsert(t, [
      { id: 1, n: 1 },
      { id: 2, n: 1 },
    ]);
    const ended = expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await untilWaiting();

    await holder.query(`update ${t} set n = 5 where id = 1`);
    await ended;

    await holder.query('commit');
    await holder.end();
    expect(await rowsOf(t, 'n')).toEqual([{ n: 5 }, { n: 5 }]);
  });

  it('stops at once with the signal, and writes nothing', async () => {
    const t = await table('id int primary key, n int', 'insert into $t values (1, 0)');
    const holder = await holding(`update ${t} set n = 5 where id = 1`);
    const gone = new AbortController();
    const reason = new Error('stopped');
    const writing = write(
      batchOf(t, 'upsert', [
        { id: 2, n: 1 },
        { id: 1, n: 1 },
      ]),
      { signal: gone.signal },
    );
    const ended = expect(writing).rejects.toBe(reason);
    await untilWaiting();

    gone.abort(reason);
    await ended;

    await holder.query('commit');
    await holder.end();
    expect(await rowsOf(t)).toEqual([{ id: 1, n: 5 }]);
  });

  it('stops some seconds after the signal when the server has gone silent, wherever that is', async () => {
    const t = await table('id int primary key, n int');
    const port = Number(new URL(fresh.url).port);
    const rows = Array.from({ length: 1500 }, (_, id) => ({ id, n: 1 }));
    const struckAt = async (piece: number, how: Struck): Promise<void> => {
      const gate = await startGate(port);
      const url = new URL(fresh.url);
      url.port = String(gate.port);
      const other = await openFor(postgres, { url: url.href });
      const gone = new AbortController();
      const reason = new Error('stopped');
      const struck = gate.strike(piece, how);
      const batch = batchOf(t, 'upsert', rows);
      const written = objectsIn(other).write(batch, call({ signal: gone.signal }));
      const ended = expect(written).rejects.toBe(reason);
      await struck;
      gone.abort(reason);
      await ended;
      await other.close();
      await gate.close();
    };

    // From the first statement of the transaction to the bytes of its COPY.
    const pieces = [7, 8, 9, 10];
    await Promise.all(pieces.flatMap((piece) => [struckAt(piece, 'lost'), struckAt(piece, 'arrived')]));

    expect(await rowsOf(t)).toEqual([]);
  }, 40_000);

  it.each([
    ['before', []],
    ['after', [{ id: 1, n: 1 }]],
  ] as const)('is of unknown end when the connection breaks %s the server commits', async (when, left) => {
    const t = await table('id int primary key, n int');
    const far = await breakingAtCommit(fresh.url, when);
    const other = await openFor(postgres, { url: far.url });
    const batch = batchOf(t, 'upsert', [{ id: 1, n: 1 }]);

    await expect(objectsIn(other).write(batch, call())).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await far.ended;
    expect(await rowsOf(t)).toEqual(left);
    expect(states(await objectsIn(other).write(batch, call({ again: true })))).toEqual(['ok']);

    expect(await rowsOf(t)).toEqual([{ id: 1, n: 1 }]);
    await other.close();
    await far.close();
  });
});

const waiting = `select pid as n from pg_stat_activity
  where wait_event_type = 'Lock' and query like '%INSERT INTO%' and datname = current_database()`;

/** A connection that has done this, and keeps its locks until it commits. */
async function holding(statement: string): Promise<pg.Client> {
  const client = new pg.Client(fresh.url);
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return client;
}

/** Until somebody waits for a lock; a loop over the server's own view, no fixed time. */
async function untilWaiting(): Promise<void> {
  const deadline = Date.now() + 10_000;
  while ((await admin.query(waiting)).rows.length === 0) {
    expect(Date.now()).toBeLessThan(deadline);
  }
}

/** A way to the server that breaks, once, at the first COMMIT: before it gets there, or before its answer comes back. */
async function breakingAtCommit(
  to: string,
  when: 'before' | 'after',
): Promise<{ readonly url: string; readonly ended: Promise<void>; close(): Promise<void> }> {
  const target = new URL(to);
  let broken = false;
  let tell = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    let dropping = false;
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.on('close', () => far.destroy());
    near.on('data', (data) => {
      if (!broken && data.includes('COMMIT\0')) {
        broken = true;
        if (when === 'before') {
          near.destroy();
          far.destroy();
          tell();
          return;
        }
        dropping = true;
      }
      far.write(data);
    });
    far.on('data', (data) => {
      if (dropping) {
        near.destroy();
        far.destroy();
        tell();
      } else {
        near.write(data);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(to);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    ended,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

describe('what is found out about a table', () => {
  it('says what each column takes', async () => {
    await admin.query("create type mood as enum ('ok', 'bad, really')");
    await admin.query("create domain code as varchar(5) not null check (value <> 'x')");
    const t = await table(
      `id int generated always as identity primary key, seen int generated by default as identity,
       double int generated always as (score * 2) stored, email varchar(80) not null unique,
       code code, mood mood not null default 'ok', score int, price numeric(10,2), at timestamptz,
       day date, data jsonb, tags text[], raw bytea, ok boolean, host inet, serial serial, ratio real`,
    );

    const fields = await objects.fields(t);

    const short = fields.map(({ name, type, required, key, maxLength, options }) =>
      [name, type, required ? 'required' : '', key ? 'key' : '', maxLength ?? '', options?.join('|') ?? '']
        .join(' ')
        .trim()
        .replaceAll(/ +/g, ' '),
    );
    expect(short).toEqual([
      'seen integer',
      'email text required key 80',
      'code text required 5',
      'mood text ok|bad, really',
      'score integer',
      'price number',
      'at time',
      'day date',
      'data json',
      'tags any',
      'raw any',
      'ok boolean',
      'host text',
      'serial integer',
      'ratio number',
    ]);
    const outcomes = await upsert(
      t,
      [
        { email: 'a', code: 'ab', mood: 'bad, really' },
        { email: 'b', code: 'x' },
      ],
      {
        match: ['email'],
      },
    );
    expect(states(outcomes)).toEqual(['ok', 'rejected']);
  });

  it('offers tables that the role can write, best match first', async () => {
    const t = await table(
      'id int primary key',
      'create view $t_view as select 1',
      'create table $t_more (id int)',
    );
    const writer = await openAs(`grant select, insert on ${t} to $r`, `grant select on ${t}_more to $r`);

    expect((await objects.objects(t)).map(({ value }) => value)).toEqual([t, `${t}_more`]);
    expect((await objectsIn(writer).objects(t.slice(7))).map(({ value }) => value)).toEqual([t]);
    await writer.close();
  });

  it('has no such table as is not there', async () => {
    await expect(objects.fields('public.nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('finds rows that a field refers to', async () => {
    const t = await table(
      'id int primary key, email text, n int',
      "insert into $t values (1, 'a', 10), (2, 'b', 20), (3, 'twice', 30), (4, 'twice', 40)",
    );

    expect(await objects.find(t, 'email', ['b', 'nobody', 'twice'])).toEqual(new Map([['b', '2']]));
    expect(await objects.find(t, 'n', ['10', 'no number'])).toEqual(new Map([['10', '1']]));
    await expect(objects.find(t, 'gone', ['1'])).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('what stands against writing', () => {
  const planFor = (
    object: string,
    operation: Operation,
    names: readonly string[],
    match: readonly string[],
  ) => ({
    object,
    operation,
    match,
    fields: names.map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
  });

  it('is nothing where all is as it should be', async () => {
    const t = await table('a int, b text, n int, unique (b, a)');

    for (const operation of objects.operations) {
      expect(await objects.verify(planFor(t, operation, ['a', 'b', 'n'], ['a', 'b']))).toEqual([]);
    }
  });

  it.each([
    ['no index', '', ''],
    [
      'a partial index',
      'create unique index near on $t (email) where n > 0',
      ' (near covers only some of the rows)',
    ],
    ['an index on an expression', 'create unique index on $t (lower(email))', ''],
    ['an index on more', 'create unique index on $t (email, n)', ''],
    ['an index that is not unique', 'create index on $t (email)', ''],
    [
      'a deferrable constraint',
      'alter table $t add constraint late unique (email) deferrable',
      ' (late is deferrable, and is checked too late)',
    ],
  ])('is %s to match by', async (_, statement, near) => {
    const t = await table('id int primary key, email text, n int', ...(statement === '' ? [] : [statement]));

    expect(await objects.verify(planFor(t, 'upsert', ['email', 'n'], ['email']))).toEqual([
      `${t} has no unique index on email${near}. Run: CREATE UNIQUE INDEX ON ${t} (email);`,
    ]);
    await admin.query(`drop table ${t}`);
  });

  it('goes away with the index that it asks for', async () => {
    const t = await table('id int, "E-mail" text');
    const plan = planFor(t, 'upsert', ['id', 'E-mail'], ['id', 'E-mail']);
    const [sentence = ''] = await objects.verify(plan);

    await admin.query(/Run: (.*);$/.exec(sentence)?.[1] ?? '');

    expect(await objects.verify(plan)).toEqual([]);
  });

  it('is a partitioned table whose key lacks what it is split by', async () => {
    const t = await table('day date, id int, primary key (day, id)) partition by range (day');

    expect(await objects.verify(planFor(t, 'upsert', ['id'], ['id']))).toEqual([
      `${t} has no unique index on id, and can have none: it is partitioned by day, which has to be one of the match fields.`,
    ]);
  });

  it('is a view', async () => {
    const t = await table('id int primary key', 'create view $t_v as select * from $t');

    expect(await objects.verify(planFor(`${t}_v`, 'upsert', ['id'], ['id']))).toEqual([
      `${t}_v is a view: rows can be written to tables only.`,
    ]);
  });

  it('is a column that is gone, or that the database fills', async () => {
    const t = await table('id int primary key, auto int generated always as (id * 2) stored');

    expect(await objects.verify(planFor(t, 'upsert', ['id', 'auto', 'gone'], ['id']))).toEqual([
      `auto of ${t} is filled by the database: it can't be written.`,
      `${t} has no column gone (any more).`,
    ]);
  });

  it.each([
    ['insert', 'select', 'INSERT', 'SELECT, INSERT'],
    ['update', 'select', 'UPDATE', 'SELECT, UPDATE'],
    ['upsert', 'insert, update', 'SELECT', 'SELECT, INSERT, UPDATE'],
    ['delete', 'select, insert', 'DELETE', 'SELECT, DELETE'],
  ] as const)('is a right that is missing for %s', async (operation, has, lacks, needs) => {
    const t = await table('id int primary key, n int');
    const writer = await openAs(`grant ${has} on ${t} to $r`);
    const plan = planFor(t, operation, ['id', 'n'], ['id']);
    const [sentence = '', ...others] = await objectsIn(writer).verify(plan);

    expect(others).toEqual([]);
    expect(sentence).toBe(
      `The role ${writer.role} may not ${lacks} in ${t}. Run: GRANT ${needs} ON ${t} TO ${writer.role};`,
    );
    await admin.query(/Run: (.*)$/.exec(sentence)?.[1] ?? '');
    expect(await objectsIn(writer).verify(plan)).toEqual([]);
    await writer.close();
  });

  it('is a sequence that new rows need', async () => {
    const t = await table('id serial, email text primary key');
    const writer = await openAs(`grant select, insert, update on ${t} to $r`);
    const plan = planFor(t, 'upsert', ['email'], ['email']);
    const [sentence = ''] = await objectsIn(writer).verify(plan);

    expect(sentence).toMatch(/^New rows need the sequence .*_id_seq, which the role .* may not use\./);
    await admin.query(/Run: (.*)$/.exec(sentence)?.[1] ?? '');
    expect(await objectsIn(writer).verify(plan)).toEqual([]);
    await writer.close();
  });

  it('is told of triggers, rules and row level security', async () => {
    const t = await table(
      'id int primary key',
      'alter table $t enable row level security',
      'create trigger same before update on $t for each row execute function suppress_redundant_updates_trigger()',
      'create rule none as on delete to $t do instead nothing',
    );
    const writer = await openAs(`grant select, insert, update on ${t} to $r`);

    expect(await objectsIn(writer).verify(planFor(t, 'upsert', ['id'], ['id']))).toEqual([
      `${t} has rules (CREATE RULE), under which PostgreSQL can't upsert. Use triggers instead.`,
      `Row level security is on for ${t} and ${writer.role}: rows that a policy hides are neither found nor written.`,
      `${t} has triggers that run for each row written: same.`,
    ]);
    await writer.close();
  });
});

describe('the check of a connection', () => {
  it('says so when the role can write nothing, and is content with one that can', async () => {
    const t = await table('id int primary key');
    const reader = await openAs(`grant select on ${t} to $r`);
    const writer = await openAs(`grant select, insert (id) on ${t} to $r`);

    expect(await reader.connection.check('objects')).toEqual(['The role can change rows of no table.']);
    expect(await reader.connection.check('source')).toEqual([]);
    expect(await writer.connection.check('objects')).toEqual([]);
    expect(await writer.connection.check('source')).toEqual([
      'The role can change rows of at least one table.',
    ]);
    await reader.close();
    await writer.close();
  });

  it('refuses a wrong password', async () => {
    const url = new URL(fresh.url);
    url.password = 'wrong-password';
    const wrong = await openFor(postgres, { url: url.href });

    await expect(wrong.connection.check('objects')).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
    await wrong.close();
  });
});
