import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { quoted } from '../../engine/contracts/names.ts';
import type { Column, Query, Table } from '../../engine/contracts/source.ts';
import { type KeyPart, sampleRows } from '../shared/key-guess.ts';
import type { Listed } from '../shared/table-list.ts';
import { around, distinct, readColumns } from '../shared/wrap.ts';
import { Broken, failureOf, placed } from './failure.ts';
import { isSame, literal, plain } from './names.ts';
import type { Place } from './place.ts';
import { kindOf, lineOf, orderOf, sortOf, textOf } from './text.ts';
import type { Answers, Note, Question } from './wire.ts';

type Rows = Table['rows'];

/** DuckDB's number for a statement that only reads. */
const select = 1;

/** Answers a question that is no reading. */
export async function answerTo(
  connection: DuckDBConnection,
  question: Exclude<Question, { kind: 'read' }>,
  place: Place,
): Promise<Answers[keyof Answers]> {
  switch (question.kind) {
    case 'tables':
      return place.kind === 'files' ? filesAsTables(place) : await tablesOf(connection);
    case 'describe':
      return await columnsOf(connection, question.sql);
    case 'preview':
      return await shown(connection, question.sql, question.rows);
    case 'count': {
      await columnsOf(connection, question.sql);
      const [row] = await rowsOf(connection, wrapped('SELECT CAST(count(*) AS VARCHAR) FROM', question.sql));
      return Number(row?.[0]);
    }
    case 'sample': {
      const table = await shown(connection, question.sql, sampleRows);
      return { table, primary: await primaryOf(connection, question.sql, table.columns) };
    }
    default:
      return question satisfies never;
  }
}

/**
 * The columns of a query, and the proof that it is one statement and reads. It is given to DuckDB as it is, so that what
 * is wrong with it has its place in the person's own text; nothing runs.
 */
async function columnsOf(connection: DuckDBConnection, sql: string): Promise<readonly Column[]> {
  // A text ends at its first NUL for DuckDB: what we prove has to be what it sees.
  if (sql.includes('\0')) {
    throw new ActivateError('SQL_FAILED', 'There is a sign in the query that can not be seen (NUL).', {
      fix: 'Write chr(0) in its place, or remove it.',
    });
  }
  const statements = await connection.extractStatements(sql).catch((error: unknown) => {
    throw placed(error);
  });
  if (statements.count !== 1) {
    throw new Broken('unsafe', `These are ${statements.count} statements, and not one.`);
  }
  const prepared = await statements.prepare(0).catch((error: unknown) => {
    throw placed(error);
  });
  try {
    if (prepared.statementType !== select) {
      throw new Broken('unsafe', 'Only a SELECT can be used.');
    }
    const columns = Array.from({ length: prepared.columnCount }, (_, i): Column => {
      const type = prepared.columnType(i);
      const native = type.alias ?? type.toString();
      return { name: prepared.columnName(i), type: kindOf(native), native };
    });
    return distinct(columns, isSame);
  } finally {
    prepared.destroySync();
  }
}

function wrapped(before: string, sql: string, after = ''): string {
  return around(before, sql, `AS q ${after}`, 'duckdb');
}

async function rowsOf(connection: DuckDBConnection, sql: string): Promise<Rows> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRows() as Rows;
}

async function shown(connection: DuckDBConnection, sql: string, rows: number): Promise<Table> {
  const columns = await columnsOf(connection, sql);
  const texts = columns.map((column) => textOf(column, `q.${quoted(column.name)}`));
  const text = wrapped(`SELECT ${texts.join(', ')} FROM`, sql, `LIMIT ${Math.trunc(rows)}`);
  return { columns, rows: await rowsOf(connection, text) };
}

async function tablesOf(connection: DuckDBConnection): Promise<readonly Listed[]> {
  const rows = await rowsOf(
    connection,
    `SELECT database_name, schema_name, name FROM (
       SELECT database_name, schema_name, table_name AS name, internal, temporary FROM duckdb_tables()
       UNION ALL SELECT database_name, schema_name, view_name, internal, temporary FROM duckdb_views()
     ) WHERE NOT internal AND NOT temporary`,
  );
  return rows.map(([database, schema, name]) => {
    // A schema that has the name of the database, that of its file, can't be told from it.
    const path = isSame(schema ?? '', database ?? '') ? [database, schema, name] : [schema, name];
    return {
      schema: schema ?? '',
      name: name ?? '',
      text: path.map((part) => plain(part ?? '')).join('.'),
    };
  });
}

function filesAsTables({ files }: Extract<Place, { kind: 'files' }>): readonly Listed[] {
  return files.map(({ name }) => ({ schema: 'main', name, text: plain(name) }));
}

/** The primary key of the only table in a query, as far as its columns are among the query's under their own names. */
async function primaryOf(
  connection: DuckDBConnection,
  sql: string,
  columns: readonly Column[],
): Promise<readonly KeyPart[]> {
  const [[tree] = []] = await rowsOf(
    connection,
    `SELECT CAST(json_serialize_sql(${literal(sql)}) AS VARCHAR)`,
  );
  const tables = [
    ...(tree ?? '').matchAll(
      /"type":"BASE_TABLE"[^{}]*?"schema_name":("(?:[^"\\]|\\.)*"),"table_name":("(?:[^"\\]|\\.)*")/g,
    ),
  ];
  const [schema = '', name = ''] = (tables[0] ?? []).slice(1).map((text) => JSON.parse(text) as string);
  if (tables.length !== 1) {
    return [];
  }
  const keys = await rowsOf(
    connection,
    `SELECT unnest(constraint_column_names) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'
     AND lower(table_name) = lower(${literal(name)}) AND lower(schema_name) = lower(${literal(schema || 'main')})`,
  );
  return keys.flatMap(([column]) => {
    const at = columns.findIndex((one) => isSame(one.name, column ?? ''));
    return at === -1 ? [] : [{ at, of: keys.length }];
  });
}

const pieceSigns = 64 * 1024;

/**
 * Reads a query as lines. Its result is made in full before a row of it leaves, in a table that is gone with the
 * connection and goes to disk when it is large: a result that DuckDB streams just ends when it fails in the middle, as
 * if that were all.
 */
export async function readTo(
  connection: DuckDBConnection,
  query: Query,
  tell: (note: Note) => Promise<void>,
): Promise<void> {
  const columns = await columnsOf(connection, query.sql);
  const { key, others } = readColumns(query, columns);
  const named = ({ name }: Column): string => `q.${quoted(name)}`;
  const line = lineOf([...key, ...others].map((column) => [column, named(column)]));
  const sort = key.map((column) => sortOf(column, named(column))).join(', ');
  const make = async (order: string): Promise<void> => {
    const before = `CREATE OR REPLACE TEMP TABLE lines AS SELECT ${line} AS line FROM`;
    await connection.run(wrapped(before, query.sql, `${sinceOf(query, columns)} ${order}`));
  };
  const sorted = sort === '' || (await fits(make(`ORDER BY ${sort}`)));
  if (sort === '' || !sorted) {
    await make('');
  }
  await tell({ is: 'reading', order: key.map(orderOf), sorted });
  const [[counted] = []] = await rowsOf(connection, 'SELECT CAST(count(*) AS VARCHAR) FROM temp.lines');
  const result = await connection.stream('SELECT line FROM temp.lines');
  let came = 0;
  try {
    for (let chunk = await result.fetchChunk(); hasRows(chunk); chunk = await result.fetchChunk()) {
      const lines = chunk.getColumnValues(0) as string[];
      came += lines.length;
      for (const bytes of pieces(lines)) {
        await tell({ is: 'piece', bytes });
      }
    }
  } catch (error) {
    await drained(connection, result);
    throw error;
  }
  if (came !== Number(counted)) {
    throw new Broken('lost', `Of ${counted} rows, ${came} were read.`);
  }
}

/** False when there is too little memory: DuckDB sorts on disk too, but not rows without end. Those are sorted by us. */
async function fits(sorting: Promise<void>): Promise<boolean> {
  try {
    await sorting;
    return true;
  } catch (error) {
    if (failureOf(error).type === 'Out of Memory') {
      return false;
    }
    throw error;
  }
}

function hasRows(chunk: DuckDBDataChunk | null): chunk is DuckDBDataChunk {
  return chunk !== null && chunk.rowCount > 0;
}

/** A stream that is left in its middle would hold the file until its memory is tidied up, whoever closes the rest. */
async function drained(connection: DuckDBConnection, result: DuckDBResult): Promise<void> {
  connection.interrupt();
  const isOver = async (): Promise<boolean> => !hasRows(await result.fetchChunk());
  while (!(await isOver().catch(() => true))) {
    connection.interrupt();
  }
}

/** Lines in pieces of a size that can wait on its way. */
function* pieces(lines: readonly string[]): Generator<Uint8Array> {
  let text: string[] = [];
  let signs = 0;
  for (const line of lines) {
    text.push(line, '\n');
    signs += line.length;
    if (signs >= pieceSigns) {
      yield Buffer.from(text.join(''));
      text = [];
      signs = 0;
    }
  }
  if (text.length > 0) {
    yield Buffer.from(text.join(''));
  }
}

function sinceOf({ since }: Query, columns: readonly Column[]): string {
  if (since === undefined) {
    return '';
  }
  const isNumber = /^-?\d+(\.\d+)?$/.test(since.value);
  if (!isNumber && !/^[-+:.\dTZ]+$/.test(since.value)) {
    throw new ActivateError('BUG', 'A watermark is neither a number nor a time.');
  }
  const column = columns.find(({ name }) => name === since.column);
  if (column?.type !== (isNumber ? 'number' : 'time')) {
    throw new ActivateError(
      'SQL_FAILED',
      `The column “${since.column}” is no ${isNumber ? 'number' : 'time'}.`,
      {
        fix: `Make one of it in the query, as CAST(… AS ${isNumber ? 'BIGINT' : 'TIMESTAMP'}).`,
      },
    );
  }
  const zone = /TIME ZONE/.test(column.native);
  const value = isNumber
    ? since.value.replace(/\.0+$/, '')
    : `${zone ? 'TIMESTAMPTZ' : 'TIMESTAMP'} '${zone ? since.value : since.value.replace('Z', '')}'`;
  return `WHERE q.${quoted(since.column)} >= ${value}`;
}
