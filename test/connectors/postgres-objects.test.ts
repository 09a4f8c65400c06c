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
});
