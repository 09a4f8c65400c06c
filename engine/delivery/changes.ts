import type { Db } from '../contracts/db.ts';
import type { BatchLimits, Call, Outcome } from '../contracts/destination.ts';
import type { ChangeChunk, PlannedRun } from '../frameworks/framework.ts';
import { Refused } from '../mapping/convert.ts';
import type { Patience } from '../messages/outbox.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { healRejections, noteRejections, noteSkipped, rowsToSkip } from '../store/rejections.ts';
import { noteCounts, type RunCounts } from '../store/runs.ts';
import { ticketsOf } from '../store/tickets.ts';
import { Courier, type Job } from './courier.ts';
import type { Rehearsal } from './rehearsal.ts';
import { Tally } from './tally.ts';

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
  /** Asked once for a group of changes, before their steps: for what has to be looked up for many at once. */
  prepare?(entries: readonly PlanEntry[]): Promise<void>;
  /**
   * What has to be done for a change, in this order; nothing when it needs none. Throws {@link Refused} when the row
   * can't be sent as it is.
   */
  steps(entry: PlanEntry): readonly Step<T>[];
  write(verb: string, items: readonly T[], call: Call): Promise<readonly Outcome[]>;
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
    tickets: await ticketsOf(parts.db, run.id),
    signal,
    write: handover.write,
  });
  const tally = new Tally(await rowsToSkip(parts.db, sync.id), run.counts);
  const groups = groupsOf(planned.chunks(), limits.rows * limits.concurrency);
  // The next group is got ready while the present one is on its way.
  let next = ready(groups, handover, tally);
  for (let group = await next; group !== undefined; group = await next) {
    await planned.begin(group.chunks.map((chunk) => chunk.seq));
    const carrying = courier.carry(group.jobs);
    next = ready(groups, handover, tally);
    // It is awaited at the end of the loop; until then nobody would hear it fail.
    next.catch(() => undefined);
    const { outcomes, trouble } = await carrying;
    const verdicts = judge(group, outcomes, tally);
    await noteRejections(parts.db, sync.id, run.id, tally.takeRejections(), now());
    await noteSkipped(parts.db, sync.id, tally.takeSkipped());
    await handover.settled?.(verdicts.accepted, verdicts.refused);
    await commit(planned, group, verdicts.refusedSet);
    await noteCounts(parts.db, run.id, tally.counts());
    if (trouble !== undefined) {
      throw trouble;
    }
  }
  await healRejections(parts.db, sync.id, run.id);
  return tally.counts();
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
          rehearsal.would({ word, key: entry.key, item });
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

interface Group<T> {
  readonly chunks: readonly ChangeChunk[];
  readonly jobs: readonly (Job<T> & { readonly entry: PlanEntry; readonly word: string })[];
  /** Entries that could not be turned into steps. */
  readonly unfit: ReadonlyMap<PlanEntry, Refused>;
  readonly skipped: ReadonlySet<PlanEntry>;
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
    count += chunk.entries.length;
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
  const unfit = new Map<PlanEntry, Refused>();
  const skipped = new Set<PlanEntry>();
  const jobs: Group<T>['jobs'][number][] = [];
  const loud = chunks.flatMap((chunk) =>
    chunk.entries.flatMap((entry) => (entry.silent ? [] : [{ entry, again: chunk.again }])),
  );
  await handover.prepare?.(loud.map(({ entry }) => entry));
  for (const { entry, again } of loud) {
    if (tally.isToSkip(entry)) {
      skipped.add(entry);
      continue;
    }
    try {
      for (const { verb, word, item } of handover.steps(entry)) {
        jobs.push({ key: entry.key, verb, word, item, again, entry });
      }
    } catch (thrown) {
      if (!(thrown instanceof Refused)) {
        throw thrown;
      }
      unfit.set(entry, thrown);
    }
  }
  return { chunks, jobs: withoutUnfit(jobs, unfit), unfit, skipped };
}

/** A row that can't be sent as a whole is not sent in part. */
function withoutUnfit<T>(
  jobs: readonly Group<T>['jobs'][number][],
  unfit: ReadonlyMap<PlanEntry, Refused>,
): Group<T>['jobs'] {
  return unfit.size === 0 ? jobs : jobs.filter((job) => !unfit.has(job.entry));
}

interface Verdicts {
  readonly accepted: readonly PlanEntry[];
  readonly refused: readonly PlanEntry[];
  readonly refusedSet: ReadonlySet<PlanEntry>;
}

function judge<T>(group: Group<T>, outcomes: readonly Outcome[], tally: Tally): Verdicts {
  const refusedSet = new Set<PlanEntry>(group.unfit.keys());
  for (const [entry, { reason, field }] of group.unfit) {
    tally.refuse(entry, { reason, field, operation: 'check' });
  }
  for (const [at, job] of group.jobs.entries()) {
    const outcome = outcomes[at] as Outcome;
    if (outcome.state === 'ok') {
      tally.did(job.word);
    } else if (!refusedSet.has(job.entry)) {
      refusedSet.add(job.entry);
      const field = outcome.state === 'rejected' ? (outcome.field ?? null) : null;
      tally.refuse(job.entry, { reason: outcome.reason, field, operation: job.verb });
    }
  }
  for (const entry of group.skipped) {
    tally.skip(entry);
  }
  const loud = group.chunks.flatMap((chunk) => chunk.entries.filter((entry) => !entry.silent));
  return {
    accepted: loud.filter((entry) => !refusedSet.has(entry)),
    refused: [...refusedSet],
    refusedSet,
  };
}

async function commit<T>(
  planned: PlannedRun,
  group: Group<T>,
  refused: ReadonlySet<PlanEntry>,
): Promise<void> {
  for (const { seq, entries } of group.chunks) {
    const accepted =
      refused.size === 0 || !entries.some((entry) => refused.has(entry))
        ? 'all'
        : new Set(entries.flatMap((entry, at) => (refused.has(entry) ? [] : [at])));
    await planned.commit(seq, accepted);
  }
}
