import type { Db } from '../contracts/db.ts';
import type { BatchLimits, Call, Outcome } from '../contracts/destination.ts';
import { asActivateError } from '../contracts/errors.ts';
import type { ChangeChunk, PlannedRun } from '../frameworks/framework.ts';
import { Refused } from '../mapping/convert.ts';
import type { Patience } from '../messages/outbox.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { isInDoubt } from '../planner/doubt.ts';
import { healRejections, noteRejections, noteSkipped, rowsToSkip } from '../store/rejections.ts';
import { noteCounts, type RunCounts } from '../store/runs.ts';
import { ticketsOf } from '../store/tickets.ts';
import { type Carried, Courier } from './courier.ts';
import type { Rehearsal } from './rehearsal.ts';
import { rowMask, rowOf } from './rows.ts';
import { type Noted, Tally } from './tally.ts';
import { type Group, type Jobs, judge, type Verdicts } from './verdicts.ts';

/** What delivering to a destination takes, the same for every framework. */
export interface DeliveryParts {
  readonly db: Db;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly patience: Patience;
  /** Set when a run is only tried out. */
  readonly rehearsal?: Rehearsal;
}

/** One thing to do for a change. `word` is what it counts as once it is done: "written", "deleted". */
export interface Step<T> {
  readonly verb: string;
  readonly word: string;
  readonly item: T;
}

/** How a framework turns changes into calls. */
export interface Handover<T> {
  readonly limits: BatchLimits;
  /** Its verbs, in the order in which they have to be carried out. */
  readonly verbs: readonly string[];
  /** Asked once for a group of changes, before their steps: for what has to be looked up for many at once. */
  prepare?(entries: readonly PlanEntry[]): Promise<void>;
  /**
   * What has to be done for a change, in this order; nothing when it needs none. Throws {@link Refused} when the row
   * can't be sent as it is.
   */
  steps(entry: PlanEntry): readonly Step<T>[];
  write(verb: string, items: readonly T[], call: Call): Promise<readonly Outcome[]>;
  /** Takes new rows as they are, many at once; false when they have to go the long way. `word` as in a step. */
  readonly fill?:
    | { readonly word: string; write(rows: number, lines: readonly Buffer[], call: Call): Promise<boolean> }
    | undefined;
  /** Whether what a row is to bring may be at the destination without it, on another row's account. */
  readonly mayBeThere?: ((entry: PlanEntry) => boolean) | undefined;
  /** Told of each group once its outcomes stand, before they are committed. */
  settled?(accepted: readonly PlanEntry[], refused: readonly PlanEntry[]): Promise<void>;
}

/**
 * Delivers a plan: groups of chunks, each handed over, noted and committed before the next. A row counts as told once
 * all its steps are done; a refused one is kept with its reason and comes again at the next run.
 */
export async function deliverChanges<T>(
  parts: DeliveryParts,
  planned: PlannedRun,
  destinationId: number,
  handover: Handover<T>,
): Promise<RunCounts> {
  if (parts.rehearsal !== undefined) {
    return rehearse(parts.rehearsal, planned, handover);
  }
  const { run, sync, signal, now, log } = planned;
  const { limits } = handover;
  const courier = new Courier<T>({
    ...parts,
    log,
    now,
    runId: run.id,
    destinationId,
    limits,
    order: handover.verbs,
    tickets: await ticketsOf(parts.db, run.id),
    signal,
    write: handover.write,
  });
  if (handover.mayBeThere !== undefined) {
    // Should this run end too early, they are in doubt.
    await planned.beginWhere(handover.mayBeThere);
  }
  const tally = new Tally(rowMask(planned), await rowsToSkip(parts.db, sync.id), run.counts);
  const groups = groupsOf(planned.chunks(), limits.rows * limits.concurrency);
  // The next group is got ready while the present one is on its way, and the one before is committed meanwhile.
  let next = ready(groups, handover, tally);
  let committing: Promise<void> = Promise.resolve();
  for (let group = await next; group !== undefined; group = await next) {
    await planned.begin(group.chunks.map((chunk) => chunk.seq));
    const carrying = carryGroup(courier, planned, handover, group, tally);
    next = heardLater(ready(groups, handover, tally));
    const { carried, jobs } = await carrying;
    group = { ...group, ...jobs };
    const verdicts = judge(group, carried, tally, (entry) => handover.mayBeThere?.(entry) === true);
    await committing;
    committing = heardLater(conclude(parts, planned, handover, { group, verdicts, noted: tally.take() }));
    if (carried.trouble !== undefined) {
      await committing;
      throw carried.trouble;
    }
  }
  await committing;
  await healRejections(parts.db, sync.id, run.id);
  return tally.counts();
}

/** A promise that is awaited in a while: until then nobody would hear it fail. */
function heardLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

interface Concluded<T> {
  readonly group: Group<T>;
  readonly verdicts: Verdicts;
  readonly noted: Noted;
}

/** Notes what became of a group, then takes its accepted rows as told. */
async function conclude<T>(
  { db }: DeliveryParts,
  planned: PlannedRun,
  handover: Handover<T>,
  { group, verdicts, noted }: Concluded<T>,
): Promise<void> {
  const { run, sync, now } = planned;
  await noteRejections(db, sync.id, run.id, noted.rejections, now());
  await noteSkipped(db, sync.id, noted.skipped);
  if (handover.settled !== undefined) {
    const loud = group.chunks.flatMap((chunk) => chunk.entries.filter((entry) => !entry.silent));
    await handover.settled(
      loud.filter((entry) => !verdicts.refused.has(entry) && !verdicts.later.has(entry)),
      [...verdicts.refused],
    );
  }
  await commit(planned, group, verdicts);
  await noteCounts(db, run.id, noted.counts);
}

/** Goes through all that would be handed over. */
async function rehearse<T>(
  rehearsal: Rehearsal,
  planned: PlannedRun,
  handover: Handover<T>,
): Promise<RunCounts> {
  for await (const { entries } of planned.chunks()) {
    const loud = entries.filter((entry) => !entry.silent);
    await handover.prepare?.(loud);
    for (const entry of loud) {
      try {
        for (const { word, item } of handover.steps(entry)) {
          rehearsal.would({ word, key: entry.key, item }, () => [rowOf(entry, planned.columns)]);
        }
      } catch (thrown) {
        if (!(thrown instanceof Refused)) {
          throw thrown;
        }
        rehearsal.refuse(entry.key, thrown);
      }
    }
  }
  return {};
}

/** Chunks taken together until they fill what can be under way at once. */
async function* groupsOf(
  chunks: AsyncIterable<ChangeChunk>,
  rows: number,
): AsyncGenerator<readonly ChangeChunk[]> {
  let held: ChangeChunk[] = [];
  let count = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    count += chunk.size;
    if (count >= rows) {
      yield held;
      held = [];
      count = 0;
    }
  }
  if (held.length > 0) {
    yield held;
  }
}

async function ready<T>(
  groups: AsyncGenerator<readonly ChangeChunk[]>,
  handover: Handover<T>,
  tally: Tally,
): Promise<Group<T> | undefined> {
  const { done, value: chunks } = await groups.next();
  if (done === true) {
    return undefined;
  }
  const canFill =
    handover.fill !== undefined &&
    !tally.skips &&
    chunks.every((chunk) => chunk.newRows !== undefined && !chunk.again);
  return { chunks, ...(canFill ? noJobs : await jobsOf(chunks, handover, tally, false)), canFill };
}

const noJobs: Jobs<never> = { jobs: [], unfit: new Map(), skipped: new Set() };

/** Hands a group over: as it is where that can be, and otherwise item by item. */
async function carryGroup<T>(
  courier: Courier<T>,
  { signal, run, log }: PlannedRun,
  handover: Handover<T>,
  group: Group<T>,
  tally: Tally,
): Promise<{ readonly carried: Carried; readonly jobs: Jobs<T> }> {
  if (!group.canFill || handover.fill === undefined) {
    return { carried: await courier.carry(group.jobs), jobs: group };
  }
  const lines = group.chunks.map((chunk) => chunk.newRows?.() ?? Buffer.alloc(0));
  const rows = group.chunks.reduce((sum, chunk) => sum + chunk.size, 0);
  const call = { signal, again: false, run: String(run.id), ticket: undefined, keep: async () => undefined };
  let again = false;
  const filled = await handover.fill.write(rows, lines, call).catch((thrown: unknown) => {
    signal.throwIfAborted();
    const error = asActivateError(thrown);
    log.debug({ run: run.id, code: error.code }, 'rows go item by item');
    again = error.retry === 'unknown' || error.code === 'BUG';
    return false;
  });
  if (filled) {
    tally.did(handover.fill.word, rows);
    return { carried: { outcomes: [], trouble: undefined, unsure: new Set() }, jobs: noJobs };
  }
  const jobs = await jobsOf(group.chunks, handover, tally, again);
  const carried = await courier.carry(jobs.jobs);
  // Whatever became of them one by one: they may have got through when they went all at once.
  return { carried: again ? { ...carried, unsure: new Set(jobs.jobs.keys()) } : carried, jobs };
}

/** What there is to do for the changes of some chunks; `again` when all of it may have got through before. */
async function jobsOf<T>(
  chunks: readonly ChangeChunk[],
  handover: Handover<T>,
  tally: Tally,
  tried: boolean,
): Promise<Jobs<T>> {
  const unfit = new Map<PlanEntry, Refused>();
  const skipped = new Set<PlanEntry>();
  const jobs: Jobs<T>['jobs'][number][] = [];
  await handover.prepare?.(chunks.flatMap((chunk) => chunk.entries.filter((entry) => !entry.silent)));
  const take = (entry: PlanEntry, chunk: ChangeChunk): void => {
    try {
      for (const { verb, word, item } of handover.steps(entry)) {
        const again = tried || chunk.again || isInDoubt(entry);
        jobs.push({ key: entry.key, verb, word, item, again, entry });
      }
    } catch (thrown) {
      if (!(thrown instanceof Refused)) {
        throw thrown;
      }
      unfit.set(entry, thrown);
    }
  };
  for (const chunk of chunks) {
    for (const entry of chunk.entries) {
      if (entry.silent) {
        continue;
      }
      if (tally.isToSkip(entry)) {
        skipped.add(entry);
      } else {
        take(entry, chunk);
      }
    }
  }
  return { jobs: withoutUnfit(jobs, unfit), unfit, skipped };
}

/** A row that can't be sent as a whole is not sent in part. */
function withoutUnfit<T>(
  jobs: readonly Jobs<T>['jobs'][number][],
  unfit: ReadonlyMap<PlanEntry, Refused>,
): Jobs<T>['jobs'] {
  return unfit.size === 0 ? jobs : jobs.filter((job) => !unfit.has(job.entry));
}

async function commit<T>(planned: PlannedRun, group: Group<T>, verdicts: Verdicts): Promise<void> {
  const { refused, doubtful, later } = verdicts;
  const isTold = (entry: PlanEntry): boolean => !refused.has(entry) && !later.has(entry);
  const all = refused.size + later.size === 0;
  for (const chunk of group.chunks) {
    const { seq } = chunk;
    // Its entries are unpacked only where they are looked at.
    if (all || chunk.entries.every(isTold)) {
      await planned.commit(seq, 'all');
      continue;
    }
    const places = [...chunk.entries.entries()];
    await planned.commit(seq, new Set(places.flatMap(([at, entry]) => (isTold(entry) ? [at] : []))), {
      doubtful: new Set(places.flatMap(([at, entry]) => (doubtful.has(entry) ? [at] : []))),
      later: new Map(
        places.flatMap(([at, entry]) => {
          const state = later.get(entry);
          return state === undefined ? [] : [[at, state] as const];
        }),
      ),
    });
  }
}
