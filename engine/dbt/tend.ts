import { testsCard, testsOverCard } from '../cards/dbt.ts';
import type { Sql } from '../contracts/db.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { isAfterDbt, nextRun } from '../schedule/cron.ts';
import {
  allModels,
  claimLooks,
  type DbtProject,
  type KeptModel,
  keepManifest,
  linksOf,
  noteBuilt,
  noteTrouble,
  projectById,
} from '../store/dbt.ts';
import {
  askForStarts,
  claimEvent,
  type DbtEvent,
  endEvent,
  endNotice,
  forgetStart,
  hasOpenDrift,
  keepNotice,
  openNotice,
  pruneEvents,
  startsAskedFor,
  tryAgain,
} from '../store/dbt-events.ts';
import { requestRun } from '../store/runs.ts';
import { type Sync, syncById, syncsOfModel } from '../store/syncs.ts';
import { checkDrift, type DriftParts } from './drift.ts';
import { readManifest } from './manifest.ts';
import { type NoticeParts, tellNotices } from './notices.ts';
import type { DbtReader } from './reader.ts';
import { type RunResult, verdictOn } from './results.ts';

export interface TendParts extends DriftParts, NoticeParts {
  readonly reader: DbtReader;
}

const leaseMs = 10 * 60_000;
const lookEveryMs = 10 * 60_000;
/** Artifacts of a run lag behind its event by seconds. */
const lagMs = 2 * 60_000;
/** What keeps failing is given up after this. */
const patienceMs = 60 * 60_000;

/** Sees to all that has to do with dbt: a chore of every worker. Every step is stored, so that any worker goes on with it. */
export async function tendDbt(parts: TendParts, signal: AbortSignal): Promise<void> {
  await workOff(parts, signal);
  await look(parts, signal);
  await startAskedFor(parts);
  await tellNotices(parts, signal);
}

/** Reads manifests that may have changed without anybody telling us. */
async function look(parts: TendParts, signal: AbortSignal): Promise<void> {
  const now = parts.now();
  const due = await claimLooks(parts.db, now, new Date(now.getTime() + lookEveryMs));
  if (due.length > 0) {
    await pruneEvents(parts.db, now);
  }
  for (const id of due) {
    const project = await projectById(parts.db, id);
    if (project !== undefined) {
      await refresh(parts, project, signal).catch((thrown: unknown) => {
        const error = asActivateError(thrown);
        parts.log.warn({ project: project.name, code: error.code }, 'a manifest could not be read yet');
      });
    }
  }
}

/**
 * Reads a project's manifest where there is another one, and looks what it means for syncs. What is wrong with it is kept
 * beside the last good one; what passes by itself is thrown.
 */
export async function refresh(parts: TendParts, project: DbtProject, signal: AbortSignal): Promise<void> {
  try {
    const found = await parts.reader.manifest(project, signal);
    if (found === 'same') {
      await noteTrouble(parts.db, project.id, null);
      if (!(await hasOpenDrift(parts.db, project.id))) {
        // The warehouse is not asked for nothing, every ten minutes.
        return;
      }
    } else {
      const { about, models } = await readManifest(found.bytes);
      const { mark, environment } = found;
      const read = { about, models, mark, environment };
      await parts.db.transaction((sql) => keepManifest(sql, project.id, read, parts.now()));
    }
  } catch (thrown) {
    const error = asActivateError(thrown);
    if (error.retry !== 'never' || error.code === 'BUG') {
      throw error;
    }
    const trouble = error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
    await noteTrouble(parts.db, project.id, trouble);
  }
  await checkDrift(parts, project.id);
}

async function workOff(parts: TendParts, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const now = parts.now();
    const event = await claimEvent(parts.db, now, new Date(now.getTime() + leaseMs));
    if (event === undefined) {
      return;
    }
    try {
      await follow(parts, event, signal);
    } catch (thrown) {
      await putOff(parts, event, asActivateError(thrown), signal);
    }
  }
}

async function putOff(
  parts: TendParts,
  event: DbtEvent,
  error: ActivateError,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const age = parts.now().getTime() - event.receivedAt.getTime();
  const lags = error.code === 'NOT_FOUND' && age < lagMs;
  if (lags || (error.retry !== 'never' && age < patienceMs)) {
    const wait = Math.max(error.retryAfterMs ?? 0, Math.min(2000 * 2 ** (event.attempts - 1), 60_000));
    await tryAgain(parts.db, event.id, new Date(parts.now().getTime() + wait), error.message);
    return;
  }
  parts.log.warn(
    { event: event.eventId, code: error.code, reason: error.message },
    'a run of dbt could not be followed',
  );
  await endEvent(parts.db, event.id, 'failed', error.message);
  await noteTrouble(parts.db, event.projectId, `The last run of dbt could not be followed: ${error.message}`);
}

/** Does what a run of dbt asks for. All that it comes to is stored at once, so that it is done once. */
async function follow(parts: TendParts, event: DbtEvent, signal: AbortSignal): Promise<void> {
  const project = await projectById(parts.db, event.projectId);
  if (project === undefined) {
    return;
  }
  const went = await wentHow(parts, project, event, signal);
  if ('ignored' in went) {
    await endEvent(parts.db, event.id, 'done', went.ignored);
    return;
  }
  await refresh(parts, project, signal);
  const models = await allModels(parts.db, project.id);
  const built = models
    .filter((model) => verdictOn(went.results, model).built)
    .map(({ uniqueId }) => uniqueId);
  const affected = await affectedBy(parts, project, models, went.results);
  const starting = affected.filter(({ starts }) => starts && went.ok).map(({ sync }) => sync);
  await parts.db.transaction(async (sql) => {
    await noteBuilt(sql, project.id, built, event.receivedAt);
    for (const { sync, model, failedTests } of affected.filter((one) => went.ok || !one.starts)) {
      await settleTests(sql, { sync, model, failedTests }, event, parts.now());
    }
    await askForStarts(
      sql,
      starting.map(({ id }) => id),
      parts.now(),
    );
    await endEvent(sql, event.id, 'done', noteOf(built.length, starting, affected));
  });
}

type Went = { readonly ignored: string } | { readonly ok: boolean; readonly results: readonly RunResult[] };

async function wentHow(
  parts: TendParts,
  project: DbtProject,
  { about }: DbtEvent,
  signal: AbortSignal,
): Promise<Went> {
  if (about.kind === 'results') {
    return { ok: true, results: about.results };
  }
  const ok = about.status === 'Success';
  if (about.status === 'Cancelled') {
    return { ignored: 'the run was cancelled' };
  }
  const known = project.environment ?? undefined;
  const elsewhere =
    known === undefined || about.environmentId === null
      ? about.jobId !== project.config['job']
      : about.environmentId !== known;
  if (elsewhere) {
    return { ignored: 'the run was in another environment than the job that the manifest is of' };
  }
  const { results } = await parts.reader.results(project, about.runId, signal).catch((error: unknown) => {
    // A run that failed may have got no further than its checkout.
    if (!ok && error instanceof ActivateError && error.code === 'NOT_FOUND') {
      return { results: [] };
    }
    throw error;
  });
  return { ok, results };
}

interface Affected {
  readonly sync: Sync;
  readonly model: KeptModel;
  readonly failedTests: readonly string[];
  readonly starts: boolean;
}

/** The syncs whose model this run has built, and that go by dbt. */
async function affectedBy(
  parts: TendParts,
  project: DbtProject,
  models: readonly KeptModel[],
  results: readonly RunResult[],
): Promise<readonly Affected[]> {
  const affected: Affected[] = [];
  for (const link of await linksOf(parts.db, project.id)) {
    const model = models.find((one) => one.uniqueId === link.uniqueId);
    const verdict = model === undefined ? undefined : verdictOn(results, model);
    if (model === undefined || verdict?.built !== true) {
      continue;
    }
    const failedTests = project.config['failedTests'] === 'send' ? [] : verdict.failedTests;
    const syncs = (await syncsOfModel(parts.db, link.modelId)).filter(
      (sync) => sync.state === 'active' && isAfterDbt(sync),
    );
    affected.push(...syncs.map((sync) => ({ sync, model, failedTests, starts: failedTests.length === 0 })));
  }
  return affected;
}

/** Says once that failed tests kept a sync from being started, and takes it back when they pass. */
async function settleTests(
  sql: Sql,
  { sync, model, failedTests }: Omit<Affected, 'starts'>,
  event: DbtEvent,
  now: Date,
): Promise<void> {
  const open = await openNotice(sql, sync.id, 'tests');
  if (failedTests.length > 0) {
    const card = testsCard(sync, model.name, failedTests);
    const problem = `${event.eventId} ${[...failedTests].sort().join(' ')}`;
    await keepNotice(sql, { syncId: sync.id, topic: 'tests', problem, card, paused: false }, now);
  } else if (open !== undefined) {
    await endNotice(sql, open.id, testsOverCard(sync), now);
  }
}

function noteOf(built: number, starting: readonly Sync[], affected: readonly Affected[]): string {
  const blocked = affected.filter(({ starts }) => !starts).map(({ sync }) => sync.name);
  return [
    `built ${built}`,
    starting.length === 0 ? 'started nothing' : `started ${starting.map(({ name }) => name).join(', ')}`,
    ...(blocked.length === 0 ? [] : [`failed tests kept back ${blocked.join(', ')}`]),
  ].join(', ');
}

/** Makes the runs that were asked for. What still runs, or waits for approval, is started once that is over. */
async function startAskedFor(parts: TendParts): Promise<void> {
  for (const id of await startsAskedFor(parts.db)) {
    await parts.db.transaction((sql) => startOne(sql, id, parts.now()));
  }
}

async function startOne(sql: Sql, syncId: number, now: Date): Promise<void> {
  const sync = await syncById(sql, syncId);
  const asked = { syncId, dueAt: now, cause: 'dbt', requestedBy: null, progressTo: null } as const;
  const run = sync === undefined ? undefined : await requestRun(sql, asked);
  if (sync === undefined || run === undefined) {
    return;
  }
  await forgetStart(sql, syncId);
  // The next look for runs that nobody carries out puts it into the queue.
  await sql.query('update runs set lease_until = $2 where id = $1', [run.id, now]);
  // The clock stands in for dbt where a whole interval passes without it.
  const tick = nextRun(sync, now);
  const next = tick === undefined ? undefined : nextRun(sync, tick);
  await sql.query('update syncs set next_due_at = $2 where id = $1', [syncId, next ?? null]);
}
