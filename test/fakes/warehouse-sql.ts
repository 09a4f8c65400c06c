import pg from 'pg';
import { inject } from 'vitest';

/** What a statement came to: columns by their type in PostgreSQL, rows as text; or an error, and where it is. */
export type Came =
  | {
      readonly columns: readonly {
        readonly name: string;
        readonly type: string;
        readonly modifier: number;
      }[];
      readonly rows: readonly (readonly (string | null)[])[];
    }
  | {
      readonly state: string;
      readonly message: string;
      /** From line 1, position 0. */
      readonly place: { readonly line: number; readonly position: number } | undefined;
    };

/** A statement that PostgreSQL carries out in place of a warehouse. */
export interface Running {
  /** Undefined while it runs. */
  came: Came | undefined;
  /** What it will have come to; never rejects. */
  readonly done: Promise<Came>;
  cancel(): void;
}

/** A database that sorts by bytes, as the warehouses do, with functions that they have and PostgreSQL has not. */
export interface WarehouseSql {
  run(statement: string, timeoutMs: number): Running;
  /** As one who may do all. */
  query<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

let made = 0;

export async function startWarehouseSql(functions: readonly string[]): Promise<WarehouseSql> {
  made += 1;
  const name = `warehouse_${process.pid}_${Date.now().toString(36)}_${made}`;
  const url = new URL(inject('postgresUrl'));
  const root = new pg.Client(url.href);
  await root.connect();
  await root.query(`create database ${name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'`);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 20, options: '-c TimeZone=UTC' });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  await pool.query('create schema shop');
  for (const statement of functions) {
    await pool.query(statement);
  }
  return {
    run: (statement, timeoutMs) => run(pool, statement, timeoutMs),
    query: async (text, values = []) => (await pool.query(text, [...values])).rows,
    close: async () => {
      await pool.end();
      await root.query(`drop database ${name} with (force)`);
      await root.end();
    },
  };
}

function run(pool: pg.Pool, statement: string, timeoutMs: number): Running {
  let wanted = true;
  let cancel = (): void => {
    wanted = false;
  };
  const work = async (): Promise<Came> => {
    const client = await pool.connect();
    try {
      await client.query(`set statement_timeout = ${timeoutMs}; set search_path = public, pg_catalog`);
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      cancel = () => void pool.query('select pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => undefined);
      if (!wanted) {
        return { state: '57014', message: 'canceled', place: undefined };
      }
      const asked = {
        text: statement,
        rowMode: 'array' as const,
        queryMode: 'extended',
        types: { getTypeParser: () => (text: unknown) => text },
      };
      const result = (await client.query(asked as never)) as unknown as pg.QueryArrayResult<
        (string | null)[]
      >;
      const columns = result.fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
        name,
        type: types[dataTypeID] ?? 'text',
        modifier: dataTypeModifier,
      }));
      return { columns, rows: result.rows };
    } finally {
      cancel = () => undefined;
      client.release();
    }
  };
  const done = work().catch((error: pg.DatabaseError): Came => {
    const before = statement.slice(0, Number(error.position ?? 1) - 1).split('\n');
    const place =
      error.position === undefined
        ? undefined
        : { line: before.length, position: before.at(-1)?.length ?? 0 };
    return { state: error.code ?? '', message: error.message, place };
  });
  const running: Running = { came: undefined, done, cancel: () => cancel() };
  done.then(
    (came) => {
      running.came = came;
    },
    () => undefined,
  );
  return running;
}

const types: Readonly<Record<number, string>> = {
  16: 'boolean',
  17: 'bytea',
  20: 'bigint',
  21: 'smallint',
  23: 'integer',
  114: 'json',
  701: 'float8',
  1082: 'date',
  1114: 'timestamp',
  1184: 'timestamptz',
  1700: 'numeric',
  3802: 'jsonb',
};

/** Precision and scale of a numeric, out of its modifier. */
export function scaleOf(modifier: number): readonly [precision: number, scale: number] {
  return modifier < 4 ? [38, 9] : [(modifier - 4) >> 16, (modifier - 4) & 0x7ff];
}

/** A statement of ours around a person's query: what stands before, the query, what stands after. */
export function partsOf(statement: string): readonly [before: string, query: string, after: string] {
  const from = statement.indexOf('(\n');
  const to = statement.lastIndexOf('\n)');
  return from === -1 || to < from
    ? [statement, '', '']
    : [statement.slice(0, from + 2), statement.slice(from + 2, to), statement.slice(to)];
}
