import { moment, text } from '../cards/build.ts';
import { brokenCard, mendedCard } from '../cards/failure.ts';
import type { Db } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import { parseTarget, type Target } from '../contracts/refs.ts';
import type { Outbox } from '../messages/outbox.ts';
import type { People } from '../store/people.ts';
import type { Run } from '../store/runs.ts';
import { type Failure, keepFailure, keepNotice, noteHealth, type Sync } from '../store/syncs.ts';

export interface HealthParts {
  readonly db: Db;
  readonly outbox: Outbox;
  readonly people: People;
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * Says once that a sync broke, and once that it works again; nothing in between. Called before the run ends, so that
 * a run that is taken up after a crash comes here again and finds in the book what was said already.
 */
export async function reportHealth(
  parts: HealthParts,
  sync: Sync,
  run: Run,
  failure: Failure | null,
  signal: AbortSignal,
): Promise<void> {
  const broke = failure !== null && sync.failingSince === null;
  const mended = failure === null && sync.failingSince !== null;
  if (broke) {
    await sayBroken(parts, sync, run, failure, signal);
  } else if (mended) {
    await sayMended(parts, sync, run, signal);
  } else if (failure !== null) {
    await redraw(parts, sync, run, failure, signal);
  }
}

/** The trouble goes on: the card that said so says how it stands now, and its thread when it has become another. */
async function redraw(
  parts: HealthParts,
  sync: Sync,
  run: Run,
  failure: Failure,
  signal: AbortSignal,
): Promise<void> {
  const before = sync.failure;
  const { notice, ...known } = before ?? {};
  if (JSON.stringify(known) === JSON.stringify(failure)) {
    return;
  }
  await keepFailure(parts.db, sync.id, failure);
  if (notice === undefined) {
    return;
  }
  const since = moment(sync.failingSince ?? parts.now(), sync.timeZone);
  await parts.outbox.edit(notice, { card: brokenCard(sync, failure, since) }, signal);
  if (before?.code !== failure.code || before.refusals?.[0]?.reason !== failure.refusals?.[0]?.reason) {
    const target = { ...notice.conversation, thread: notice.conversation.thread ?? notice.id };
    const card = { title: '', blocks: [text(`Now: ${failure.message}`)], fallback: failure.message };
    await parts.outbox.send({
      runId: run.id,
      syncId: sync.id,
      messages: [{ key: '', kind: 'still broken', target, card, live: false }],
      draw: (drawn) => drawn,
      signal,
    });
  }
}

async function sayBroken(
  parts: HealthParts,
  sync: Sync,
  run: Run,
  failure: Failure,
  signal: AbortSignal,
): Promise<void> {
  const at = parts.now();
  const card = brokenCard(sync, failure, moment(at, sync.timeZone));
  await noteHealth(parts.db, sync.id, failure, at);
  for (const target of await places(parts, sync)) {
    const [sent] = await parts.outbox.send({
      runId: run.id,
      syncId: sync.id,
      messages: [{ key: '', kind: 'broken', target, card, live: false }],
      draw: (drawn) => drawn,
      signal,
    });
    if (sent?.state === 'ok') {
      await keepNotice(parts.db, sync.id, sent.message);
      return;
    }
  }
  parts.log.warn({ sync: sync.name, reason: failure.message }, 'a failure could not be reported anywhere');
}

async function sayMended(parts: HealthParts, sync: Sync, run: Run, signal: AbortSignal): Promise<void> {
  const now = parts.now();
  const since = moment(sync.failingSince ?? now, sync.timeZone);
  const card = mendedCard(sync, sync.failure?.message ?? '', since, moment(now, sync.timeZone));
  const notice = sync.failure?.notice;
  const target =
    notice === undefined
      ? undefined
      : { ...notice.conversation, thread: notice.conversation.thread ?? notice.id };
  if (notice !== undefined) {
    await parts.outbox.edit(notice, { card }, signal);
  }
  for (const place of target === undefined ? await places(parts, sync) : [target]) {
    const [sent] = await parts.outbox.send({
      runId: run.id,
      syncId: sync.id,
      messages: [{ key: '', kind: 'mended', target: place, card, live: false }],
      draw: (drawn) => drawn,
      signal,
    });
    if (sent?.state === 'ok') {
      break;
    }
  }
  await noteHealth(parts.db, sync.id, null, now);
}

/** The report channel, and behind it the person who made the sync, for when the channel is gone. */
export async function places(parts: Pick<HealthParts, 'people'>, sync: Sync): Promise<readonly Target[]> {
  const report = sync.reportTo === null ? undefined : parseTarget(sync.reportTo);
  const makers = sync.createdBy === null ? [] : await parts.people.identities(sync.createdBy);
  return [...(report === undefined ? [] : [report]), ...makers].filter((place) => place.platform !== 'cli');
}
