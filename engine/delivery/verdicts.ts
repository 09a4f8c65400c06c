import type { Outcome } from '../contracts/destination.ts';
import type { ChangeChunk } from '../frameworks/framework.ts';
import type { Refused } from '../mapping/convert.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import type { Carried, Job } from './courier.ts';
import type { Tally } from './tally.ts';

/** Changes that are handed over together. */
export interface Group<T> extends Jobs<T> {
  readonly chunks: readonly ChangeChunk[];
  /** All of it is new rows, which the destination may take as they are. */
  readonly canFill: boolean;
}

/** What there is to do for changes. */
export interface Jobs<T> {
  readonly jobs: readonly (Job<T> & { readonly entry: PlanEntry; readonly word: string })[];
  /** Entries that could not be turned into steps. */
  readonly unfit: ReadonlyMap<PlanEntry, Refused>;
  readonly skipped: ReadonlySet<PlanEntry>;
}

/** What becomes of the entries of a group; those in none of these are told. */
export interface Verdicts {
  readonly refused: ReadonlySet<PlanEntry>;
  /** Refused, but something of them may be at the destination. */
  readonly doubtful: ReadonlySet<PlanEntry>;
  /** Not dealt with, because the destination as a whole was in the way: they come again when the run is taken up again. */
  readonly later: ReadonlyMap<PlanEntry, 'planned' | 'sending'>;
}

/** `mayBeThere`: whether a row may be at the destination on another row's account. */
export function judge<T>(
  group: Group<T>,
  carried: Carried,
  tally: Tally,
  mayBeThere: (entry: PlanEntry) => boolean,
): Verdicts {
  const failed = failedIn(group, carried);
  const well = failed.size === 0 && group.unfit.size === 0;
  const begun: ReadonlySet<PlanEntry> = well ? new Set() : begunIn(group, carried);
  const isInDoubt = (entry: PlanEntry): boolean => begun.has(entry) || mayBeThere(entry);
  const later = new Map<PlanEntry, 'planned' | 'sending'>();
  if (carried.trouble !== undefined) {
    for (const [entry, { outcome }] of failed) {
      if (outcome.state !== 'rejected') {
        later.set(entry, isInDoubt(entry) ? 'sending' : 'planned');
      }
    }
  }
  const refused = new Set([
    ...group.unfit.keys(),
    ...[...failed.keys()].filter((entry) => !later.has(entry)),
  ]);
  count(group, carried, { failed, later }, tally);
  return { refused, later, doubtful: new Set([...refused].filter(isInDoubt)) };
}

interface Failed {
  readonly outcome: Exclude<Outcome, { state: 'ok' }>;
  readonly verb: string;
}

/** The first thing that was not done of each entry of which not all was done. */
function failedIn<T>({ jobs }: Group<T>, { outcomes }: Carried): ReadonlyMap<PlanEntry, Failed> {
  const failed = new Map<PlanEntry, Failed>();
  for (const [at, { entry, verb }] of jobs.entries()) {
    const outcome = outcomes[at] as Outcome;
    if (outcome.state !== 'ok' && !failed.has(entry)) {
      failed.set(entry, { outcome, verb });
    }
  }
  return failed;
}

/** Entries of which something was done, or may have been. */
function begunIn<T>({ jobs, chunks }: Group<T>, { outcomes, unsure }: Carried): ReadonlySet<PlanEntry> {
  const done = jobs.filter((_, at) => outcomes[at]?.state === 'ok' || unsure.has(at));
  const again = chunks.flatMap((chunk) => (chunk.again ? chunk.entries : []));
  return new Set([...done.map((job) => job.entry), ...again]);
}

function count<T>(
  { jobs, unfit, skipped }: Group<T>,
  { outcomes }: Carried,
  { failed, later }: { failed: ReadonlyMap<PlanEntry, Failed>; later: ReadonlyMap<PlanEntry, unknown> },
  tally: Tally,
): void {
  for (const [entry, { reason, field }] of unfit) {
    tally.refuse(entry, { reason, field, operation: 'check' });
  }
  for (const [entry, { outcome, verb }] of failed) {
    if (!later.has(entry)) {
      const field = outcome.state === 'rejected' ? (outcome.field ?? null) : null;
      tally.refuse(entry, { reason: outcome.reason, field, operation: verb });
    }
  }
  for (const [at, job] of jobs.entries()) {
    // What was done for a row that comes again is counted then.
    if (outcomes[at]?.state === 'ok' && !later.has(job.entry)) {
      tally.did(job.word);
    }
  }
  for (const entry of skipped) {
    tally.skip(entry);
  }
}
