import type { Connections } from '../connections.ts';
import type { Db, Sql } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import type { Dialect, Limits, Scratch } from '../contracts/source.ts';
import { decodeEntries } from '../planner/chunks.ts';
import { type ConnectionRecord, listConnections } from '../store/connections.ts';
import type { Plans } from '../store/plans.ts';
import {
  type LoggedReaction,
  type LoggedRun,
  lockLogMark,
  moveLogMark,
  reactionsToLog,
  refusalsOf,
  runsToLog,
} from '../store/warehouse-logs.ts';
import { textLiteral, wayOf } from './statements.ts';

export interface LogParts {
  readonly db: Db;
  readonly connections: Connections;
  readonly plans: Plans;
  readonly log: Log;
}

type Kind = 'text' | 'bigint' | 'timestamp';

/** The tables of the logs, as docs/scale.md describes them. `writer` is the installation. Times are in UTC. */
const tables = {
  runs: {
    writer: 'text',
    run_id: 'bigint',
    sync: 'text',
    framework: 'text',
    cause: 'text',
    state: 'text',
    started_at: 'timestamp',
    finished_at: 'timestamp',
    rows_read: 'bigint',
    added: 'bigint',
    changed: 'bigint',
    removed: 'bigint',
    refused: 'bigint',
    message: 'text',
    asked_by: 'text',
  },
  outcomes: {
    writer: 'text',
    run_id: 'bigint',
    sync: 'text',
    row_key: 'text',
    change: 'text',
    outcome: 'text',
    reason: 'text',
  },
  reactions: {
    writer: 'text',
    reaction_id: 'bigint',
    alert: 'text',
    row_key: 'text',
    answer: 'text',
    person: 'text',
    answered_at: 'timestamp',
    until_at: 'timestamp',
    ended_at: 'timestamp',
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Kind>>>>;
type TableName = keyof typeof tables;

type LogValue = string | number | Date | null;

const runsAtOnce = 100;
const reactionsAtOnce = 500;
const rowsAtOnce = 500;
/** Of a run with more changes than this only those that were refused are written. */
const mostOutcomes = 100_000;

/**
 * Writes what came to its end since the last time to the planner schemas of sources that want it. What is written is
 * taken out first, so that a kill in between leaves nothing there twice. One source that is away does not keep others.
 */
export async function writeLogs(parts: LogParts, limits: Limits): Promise<void> {
  for (const record of await listConnections(parts.db, 'source')) {
    try {
      const { dialect, scratch } = await parts.connections.source(record);
      if (scratch?.logs === true) {
        await writeLogsOf(parts, record, { dialect, scratch, limits });
      }
    } catch (error) {
      parts.log.warn({ source: record.name, error }, 'logs could not be written to the warehouse');
    }
  }
}

interface To {
  readonly dialect: Dialect;
  readonly scratch: Scratch;
  readonly limits: Limits;
}

async function writeLogsOf(parts: LogParts, { id }: ConnectionRecord, to: To): Promise<void> {
  for (let more = true; more && to.limits.signal?.aborted !== true; ) {
    // The lock keeps other workers away as long as this one writes.
    more = await parts.db.transaction(async (sql) => {
      const mark = await lockLogMark(sql, id);
      if (mark === undefined) {
        return false;
      }
      const runs = await runsToLog(sql, id, runsAtOnce);
      const reactions = await reactionsToLog(sql, id, reactionsAtOnce);
      if (runs.length + reactions.length > 0) {
        await writeBatch({ ...parts, sql }, to, mark.writer, runs, reactions);
        await moveLogMark(sql, id, { run: runs.at(-1), reaction: reactions.at(-1) });
      }
      return runs.length === runsAtOnce || reactions.length === reactionsAtOnce;
    });
  }
}

async function writeBatch(
  parts: Pick<LogParts, 'plans'> & { readonly sql: Sql },
  to: To,
  writer: string,
  runs: readonly LoggedRun[],
  reactions: readonly LoggedReaction[],
): Promise<void> {
  for (const name of Object.keys(tables) as TableName[]) {
    await to.scratch.execute(makeTable(to, name), to.limits);
  }
  const runIds = runs.map((run) => run.id);
  await takeOut(to, 'runs', writer, 'run_id', runIds);
  await takeOut(to, 'outcomes', writer, 'run_id', runIds);
  await takeOut(
    to,
    'reactions',
    writer,
    'reaction_id',
    reactions.map(({ id }) => id),
  );
  for (const run of runs) {
    await insert(to, 'outcomes', outcomesOf(parts, writer, run));
  }
  await insert(
    to,
    'runs',
    runs.map((run) => runRow(writer, run)),
  );
  await insert(
    to,
    'reactions',
    reactions.map(({ id, alert, key, answer, person, at, until, endedAt }) => [
      writer,
      id,
      alert,
      key,
      answer,
      person,
      at,
      until,
      endedAt,
    ]),
  );
}

function runRow(writer: string, run: LoggedRun): readonly LogValue[] {
  const { id, sync, framework, cause, state, startedAt, finishedAt, counts, error, person } = run;
  const count = (name: string): number => Number(counts[name] ?? 0);
  return [
    ...[writer, id, sync, framework, cause, state, startedAt, finishedAt],
    ...['rows', 'added', 'changed', 'removed', 'failed'].map(count),
    error?.message ?? null,
    person,
  ];
}

/** What became of each row that a run found to differ. */
async function* outcomesOf(
  { plans, sql }: Pick<LogParts, 'plans'> & { readonly sql: Sql },
  writer: string,
  { id, sync, counts, keyWidth }: LoggedRun,
): AsyncGenerator<readonly LogValue[]> {
  if (keyWidth === null || counts['baseline'] === true) {
    return;
  }
  const refusals = await refusalsOf(sql, id);
  const changes = ['added', 'changed', 'removed'].reduce((sum, name) => sum + Number(counts[name] ?? 0), 0);
  const all = changes <= mostOutcomes;
  for await (const { state, entries } of plans.read(id)) {
    const done = state === 'committed' ? 'delivered' : 'not delivered';
    const told = decodeEntries(entries, keyWidth).filter(
      ({ key, silent }) => !silent && (all || refusals.has(key)),
    );
    yield* told.map(({ key, kind }) => {
      const reason = refusals.get(key) ?? null;
      return [writer, id, sync, key, kind, reason === null ? done : 'refused', reason];
    });
  }
}

function makeTable({ dialect, scratch }: To, name: TableName): string {
  const { text } = wayOf(dialect);
  const columns = Object.entries(tables[name]).map(
    ([column, kind]: [string, Kind]) => `${column} ${kind === 'text' ? text : kind}`,
  );
  return `CREATE TABLE IF NOT EXISTS ${scratch.table(name)} (${columns.join(', ')})`;
}

async function takeOut(
  { dialect, scratch, limits }: To,
  name: TableName,
  writer: string,
  column: string,
  ids: readonly number[],
): Promise<void> {
  if (ids.length > 0) {
    const which = `writer = ${textLiteral(dialect, writer)} AND ${column} IN (${ids.join(', ')})`;
    await scratch.execute(`DELETE FROM ${scratch.table(name)} WHERE ${which}`, limits);
  }
}

async function insert(
  { dialect, scratch, limits }: To,
  name: TableName,
  rows: Iterable<readonly LogValue[]> | AsyncIterable<readonly LogValue[]>,
): Promise<void> {
  const kinds: readonly Kind[] = Object.values(tables[name]);
  let values: string[] = [];
  const flush = async (): Promise<void> => {
    if (values.length > 0) {
      const columns = Object.keys(tables[name]).join(', ');
      await scratch.execute(
        `INSERT INTO ${scratch.table(name)} (${columns}) VALUES\n${values.join(',\n')}`,
        limits,
      );
    }
    values = [];
  };
  for await (const row of rows) {
    values.push(`(${row.map((value, i) => literal(dialect, kinds[i] as Kind, value)).join(', ')})`);
    if (values.length >= rowsAtOnce) {
      await flush();
    }
  }
  await flush();
}

function literal(dialect: Dialect, kind: Kind, value: LogValue): string {
  if (value === null) {
    // A type of its own: of a column that has nothing else in this statement, some dialects would not know it.
    return `cast(NULL as ${kind === 'text' ? wayOf(dialect).text : kind})`;
  }
  if (value instanceof Date) {
    return `cast('${value.toISOString().replace('T', ' ').replace('Z', '')}' as timestamp)`;
  }
  return typeof value === 'number' ? String(value) : textLiteral(dialect, value);
}
