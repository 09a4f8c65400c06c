import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Dialect, Limits, Scratch } from '../contracts/source.ts';
import { decodeEntries, type PlanEntry, packEntries, rowOf } from '../planner/chunks.ts';
import { doubtfulLine, possibleLines } from '../planner/doubt.ts';
import { fieldEnd } from '../planner/keys.ts';
import { lockPlanChunk, markCommitted, type Plans, splitPlanChunk } from '../store/plans.ts';
import type { Commit } from '../store/snapshot-commits.ts';
import { drop, fillKept, type Kept, makeKept, type Settling, settle, type Tables } from './statements.ts';

/**
 * Commits a chunk of a plan whose told rows stand in the warehouse: what these do not take in is kept beside the chunk
 * until the run is worked in. Wants to be in a transaction. Doing it twice is harmless.
 */
export async function commitKept(sql: Sql, commit: Commit): Promise<void> {
  const { runId, seq, shape, later } = commit;
  const chunk = await lockPlanChunk(sql, runId, seq, commit.chunk === undefined);
  if (chunk === undefined) {
    throw new ActivateError('BUG', 'There is no such plan chunk.');
  }
  if (chunk.state === 'committed') {
    return;
  }
  const all = commit.chunk?.entries ?? decodeEntries(chunk.entries, shape.key.length);
  const kept = all.flatMap((entry, i) => keptOf(commit, entry, i));
  await markCommitted(sql, runId, seq);
  if (later !== undefined && later.size > 0) {
    await splitPlanChunk(sql, { runId, seq, orders: shape.key, entries: all, later });
  }
  if (kept.length > 0) {
    const { entries } = packEntries(seq, kept, shape.key);
    await sql.query('update plan_chunks set kept = $3 where run_id = $1 and seq = $2', [runId, seq, entries]);
  }
}

/** How an entry is kept when it is not simply taken in: as `removed` when it stays as it was, else with the line it becomes. */
function keptOf(
  { accepted, doubtful, later, shape }: Commit,
  entry: PlanEntry,
  i: number,
): readonly PlanEntry[] {
  if (later?.has(i) === true || entry.silent || accepted === 'all' || accepted.has(i)) {
    return [];
  }
  const { key, line, previous } = entry;
  if (doubtful !== 'all' && doubtful?.has(i) !== true) {
    return [{ kind: 'removed', silent: false, key, previous: rowOf(entry) }];
  }
  const before = previous === undefined ? [] : possibleLines(previous, shape.columns.length);
  const possible = doubtfulLine([...(line === undefined ? [] : [line]), ...before]);
  return [{ kind: 'changed', silent: false, key, line: possible }];
}

export interface Settlement {
  readonly scratch: Scratch;
  readonly dialect: Dialect;
  readonly tables: Tables;
  readonly runId: number;
  readonly keyWidth: number;
  /** The number of the layout that the run's lines have. */
  readonly layout: number;
  readonly limits: Limits;
}

const rowsAtOnce = 500;
const bytesAtOnce = 200_000;

/**
 * Works what a run found and delivered into what was told, as far as it was committed. Can be repeated. What is named
 * one by one is whichever is less: what was taken in, or what was not.
 */
export async function settleRun(
  { db, plans }: { readonly db: Sql; readonly plans: Plans },
  { scratch, dialect, tables, runId, keyWidth, layout, limits }: Settlement,
): Promise<void> {
  const { committed, open } = await extentOf(db, runId);
  if (committed === 0) {
    return;
  }
  const how: Settling = open > committed ? 'only' : 'all but';
  const run = (statement: string): Promise<void> => scratch.execute(statement, limits);
  await run(drop(tables.kept));
  await run(makeKept(dialect, tables));
  let rows: Kept[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (rows.length > 0) {
      await run(fillKept(dialect, tables, rows));
    }
    rows = [];
    bytes = 0;
  };
  for await (const one of namedOnes({ db, plans }, { runId, how, keyWidth })) {
    rows.push(one);
    bytes += one.key.length + (one.line?.length ?? 0);
    if (rows.length >= rowsAtOnce || bytes >= bytesAtOnce) {
      await flush();
    }
  }
  await flush();
  for (const statement of settle(tables, layout, how)) {
    await run(statement);
  }
}

/** How many entries of a plan were dealt with, and how many were not. */
async function extentOf(
  db: Sql,
  runId: number,
): Promise<{ readonly committed: number; readonly open: number }> {
  const [row] = await db.query<{ committed: number; open: number }>(
    `select coalesce(sum(added + changed + removed) filter (where state = 'committed'), 0)::float8 as committed,
            coalesce(sum(added + changed + removed) filter (where state <> 'committed'), 0)::float8 as open
     from plan_chunks where run_id = $1`,
    [runId],
  );
  return row ?? { committed: 0, open: 0 };
}

/** Whom `kept` has to name. */
async function* namedOnes(
  { db, plans }: { readonly db: Sql; readonly plans: Plans },
  { runId, how, keyWidth }: { readonly runId: number; readonly how: Settling; readonly keyWidth: number },
): AsyncGenerator<Kept> {
  const keyOf = (line: Buffer): string => {
    let end = -1;
    for (let field = 0; field < keyWidth; field += 1) {
      end = fieldEnd(line, end + 1);
    }
    return line.toString('utf8', 0, end);
  };
  if (how === 'all but') {
    const rows = await db.query<{ seq: number; kept: Buffer }>(
      'select seq, kept from plan_chunks where run_id = $1 and kept is not null order by seq',
      [runId],
    );
    for (const { kept } of rows) {
      yield* keptIn(kept, keyOf);
    }
  }
  for await (const { seq, state, entries } of plans.read(runId)) {
    if (state !== 'committed') {
      if (how === 'all but') {
        yield* decodeEntries(entries, 'no keys').map(
          (entry): Kept => ({ key: keyOf(rowOf(entry)), act: 'leave' }),
        );
      }
    } else if (how === 'only') {
      const [row] = await db.query<{ kept: Buffer | null }>(
        'select kept from plan_chunks where run_id = $1 and seq = $2',
        [runId, seq],
      );
      const kept = row?.kept ? keptIn(row.kept, keyOf) : [];
      const others = new Set(kept.map(({ key }) => key));
      yield* kept.filter(({ act }) => act === 'put');
      yield* decodeEntries(entries, 'no keys')
        .map((entry) => keyOf(rowOf(entry)))
        .filter((key) => !others.has(key))
        .map((key): Kept => ({ key, act: 'take' }));
    }
  }
}

function keptIn(packed: Buffer, keyOf: (line: Buffer) => string): readonly Kept[] {
  return decodeEntries(packed, 'no keys').map((entry) => {
    const row = rowOf(entry);
    return entry.kind === 'removed'
      ? { key: keyOf(row), act: 'leave' }
      : { key: keyOf(row), act: 'put', line: row.toString('utf8', 0, row.length - 1) };
  });
}
