import { setTimeout as delay } from 'node:timers/promises';
import { type DeskParts, followRun } from '../approvals/desk.ts';
import { progressCard } from '../cards/progress.ts';
import { parseTarget } from '../contracts/refs.ts';
import { keepProgressMessage, type Run, type RunCounts, runById } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';

/** Shows on one card how a run goes that a person asked for. */
export async function showProgress(
  parts: DeskParts,
  run: Run,
  sync: Sync,
  signal: AbortSignal,
): Promise<void> {
  const target = run.progressTo === null ? undefined : parseTarget(run.progressTo);
  if (target === undefined || target.platform === 'cli') {
    return;
  }
  const since = run.startedAt ?? parts.now();
  const card = progressCard(sync.name, run, (parts.now().getTime() - since.getTime()) / 1000);
  const posted = (await runById(parts.db, run.id))?.progressMessage ?? null;
  if (posted !== null) {
    await parts.outbox.edit(posted, { card }, signal);
    return;
  }
  const [sent] = await parts.outbox.send({
    runId: run.id,
    syncId: sync.id,
    messages: [{ key: '', kind: 'progress', target, card, live: false }],
    draw: (drawn) => drawn,
    signal,
  });
  if (sent?.state === 'ok') {
    await keepProgressMessage(parts.db, run.id, sent.message);
  }
}

const showEveryMs = 3000;

/** Delivers, and meanwhile shows now and then how far it has come, where somebody looks. */
export async function showing(
  parts: DeskParts,
  run: Run,
  sync: Sync,
  signal: AbortSignal,
  deliver: () => Promise<RunCounts>,
): Promise<RunCounts> {
  if (run.progressTo === null && !run.held) {
    return deliver();
  }
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const shown = showFrom(parts, run, sync, until);
  try {
    return await deliver();
  } finally {
    over.abort();
    await shown;
  }
}

async function showFrom(parts: DeskParts, run: Run, sync: Sync, until: AbortSignal): Promise<void> {
  let last = '';
  for (;;) {
    await delay(showEveryMs, undefined, { signal: until }).catch(() => undefined);
    if (until.aborted) {
      return;
    }
    try {
      const now = await runById(parts.db, run.id);
      const counts = JSON.stringify(now?.counts);
      if (now !== undefined && counts !== last) {
        last = counts;
        await showProgress(parts, { ...now, state: 'delivering' }, sync, until);
        await (run.held ? followRun(parts, run.id, until) : undefined);
      }
    } catch (error) {
      // It is for looking at only: the run itself says how it ends.
      parts.log.debug({ run: run.id, error: String(error) }, 'progress could not be shown');
    }
  }
}

/** Cards that ask are posted, and drawn anew, by whoever comes first; what does not work now is seen to later. */
export async function followHold(parts: DeskParts, run: Run, signal: AbortSignal): Promise<void> {
  await followRun(parts, run.id, signal).catch((error: unknown) =>
    parts.log.warn({ run: run.id, error: String(error) }, 'an approval could not be shown'),
  );
}
