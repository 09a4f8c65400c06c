import { context, moment, text } from '../cards/build.ts';
import { sizesChart } from '../cards/chart.ts';
import { type HoldView, holdCard } from '../cards/hold.ts';
import { progressCard } from '../cards/progress.ts';
import type { Block, Card } from '../contracts/card.ts';
import type { Db } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import { parseTarget, type Target } from '../contracts/refs.ts';
import type { Outbox, Sent } from '../messages/outbox.ts';
import {
  copiesOf,
  delegatesOf,
  type Hold,
  holdById,
  holdsToTend,
  type Moments,
  momentsOf,
  noteDrawn,
  noteEscalated,
  noteReminded,
  noteUndrawn,
  touchHoldOfRun,
  votesOn,
} from '../store/holds.ts';
import type { Plans } from '../store/plans.ts';
import { runById } from '../store/runs.ts';
import { type DeciderParts, directPlaces, placeOf, policiesOf } from './deciders.ts';
import { endHold } from './end.ts';
import { sampleOf } from './sample.ts';
import { takingTurns } from './turns.ts';

export interface DeskParts extends DeciderParts {
  readonly db: Db;
  readonly plans: Plans;
  readonly outbox: Outbox;
  readonly now: () => Date;
  readonly log: Log;
  /** Makes an approved change that was not made because a process died. */
  readonly carryOut?: (hold: Hold) => Promise<void>;
}

/** Sees to all holds that need it: cards that show an old state, and moments that have come. */
export async function tendHolds(parts: DeskParts, signal: AbortSignal): Promise<void> {
  for (const id of await holdsToTend(parts.db)) {
    signal.throwIfAborted();
    await tendHold(parts, id, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      // The others have their moments, too.
      parts.log.warn({ hold: id, error: String(error) }, 'a hold could not be seen to');
    });
  }
}

/**
 * Brings the cards of a hold up to date, posts those that are missing, and does what its time asks for: a reminder, more
 * people asked, its end. One process at a time does this for a hold; another that comes meanwhile leaves it alone.
 */
export async function tendHold(parts: DeskParts, id: string, signal: AbortSignal): Promise<void> {
  await takingTurns(parts.db, () =>
    parts.db.transaction(async (sql) => {
      const [lock] = await sql.query<{ held: boolean }>(
        'select pg_try_advisory_xact_lock(731206, hashtext($1)) as held',
        [id],
      );
      if (lock?.held === true) {
        await see(parts, id, signal);
      }
    }),
  );
}

async function see(parts: DeskParts, id: string, signal: AbortSignal): Promise<void> {
  const moments = await momentsOf(parts.db, id);
  await doWhatIsDue(parts, id, moments);
  const view = await viewOf(parts, id);
  if (view === undefined) {
    return;
  }
  const all = await draw(parts, view, signal);
  if (view.hold.state !== 'pending') {
    await closeProgress(parts, view, signal);
    await tellRequester(parts, view, signal);
  } else if (moments.reminds) {
    await remind(parts, view.hold, signal);
  }
  await (all ? noteDrawn(parts.db, id, view.hold.revision) : noteUndrawn(parts.db, id));
}

async function doWhatIsDue(parts: DeskParts, id: string, moments: Moments): Promise<void> {
  if (moments.expires) {
    await endHold(parts.db, id, { state: 'expired', by: null, verdict: 'Nobody decided in time.' });
  } else if (moments.escalates) {
    await escalate(parts, id);
  }
  const hold = moments.unmade ? await holdById(parts.db, id) : undefined;
  if (hold !== undefined) {
    await parts.carryOut?.(hold);
  }
}

/** All that a hold's card is drawn from, as it is now. */
export async function viewOf(
  parts: Pick<DeskParts, 'db' | 'plans'>,
  id: string,
): Promise<HoldView | undefined> {
  const hold = await holdById(parts.db, id);
  if (hold === undefined) {
    return undefined;
  }
  const [votes, delegates, run] = await Promise.all([
    votesOn(parts.db, id),
    delegatesOf(parts.db, id),
    hold.runId === null ? undefined : runById(parts.db, hold.runId),
  ]);
  const asks = hold.state === 'pending' && hold.kind === 'run';
  const sample = asks
    ? await sampleOf(parts, hold, { show: 'all', limit: sampleRows, masked: true })
    : undefined;
  return { hold, votes, delegates, run, sample };
}

const sampleRows = 6;

/** Brings all copies up to date; false when a chat could not be reached and it is worth to try again. */
async function draw(parts: DeskParts, view: HoldView, signal: AbortSignal): Promise<boolean> {
  const { hold } = view;
  const card = holdCard(view);
  const drawn = await withChart(view, card);
  const copies = await copiesOf(parts.db, hold.id);
  const edited: Sent[] = [];
  for (const { message } of copies) {
    edited.push(await parts.outbox.edit(message, { card: drawn }, signal));
  }
  const posted = new Set(copies.map(({ target }) => target));
  const targets = hold.places.filter((place) => !posted.has(place)).map((place) => parseTarget(place));
  if (hold.state !== 'pending' || targets.length === 0) {
    return reached(parts, hold, edited);
  }
  const sent = await parts.outbox.send({
    holdId: hold.id,
    messages: targets.flatMap((target) =>
      target === undefined ? [] : [{ key: '', kind: 'hold', target, card, live: false }],
    ),
    draw: () => drawn,
    signal,
  });
  return reached(parts, hold, [...edited, ...sent]);
}

/** False when something may still get through. A copy that was deleted, or a place that is gone, is no loss. */
function reached(parts: DeskParts, hold: Hold, sent: readonly Sent[]): boolean {
  for (const one of sent) {
    if (one.state !== 'ok') {
      parts.log.warn({ hold: hold.id, reason: one.reason }, 'a copy of an approval card did not get through');
    }
  }
  return sent.every(({ state }) => state === 'ok' || state === 'rejected');
}

/** The picture is drawn for the message alone: what is kept of a card in the book has no bytes in it. */
async function withChart({ hold }: HoldView, card: Card): Promise<Card> {
  const { sizes } = hold.about;
  if (hold.state !== 'pending' || sizes === undefined || sizes.length < 2) {
    return card;
  }
  const png = await sizesChart(`${hold.subject}: size of the list`, sizes);
  const alt = `Rows of the last runs: ${sizes.slice(-5).join(', ')}`;
  const at = card.blocks.findIndex(({ type }) => type === 'fields');
  const image: Block = { type: 'image', png, alt };
  return { ...card, blocks: [...card.blocks.slice(0, at + 1), image, ...card.blocks.slice(at + 1)] };
}

/** The admins, or whom the policy names, are asked, too. */
async function escalate(parts: DeskParts, id: string): Promise<void> {
  const hold = await holdById(parts.db, id);
  if (hold === undefined) {
    return;
  }
  const policies = (await policiesOf(parts.db, hold.syncs)) ?? [];
  const named = policies.flatMap(({ escalateTo }) => escalateTo);
  const platform = hold.places.map((place) => parseTarget(place)?.platform)[0];
  const places =
    named.length > 0 ? await directPlaces(parts, named, platform) : await adminPlaces(parts, platform);
  await noteEscalated(
    parts.db,
    id,
    places.filter((place) => !hold.places.includes(place)),
  );
}

async function adminPlaces(
  parts: DeskParts,
  platform: Target['platform'] | undefined,
): Promise<readonly string[]> {
  const admins = await parts.people.deciding(['admin']);
  const emails = admins.flatMap(({ email }) => (email === null ? [] : [email]));
  return directPlaces(parts, emails, platform);
}

/** Once, in the thread of each copy, before the time is over. */
async function remind(parts: DeskParts, hold: Hold, signal: AbortSignal): Promise<void> {
  const copies = await copiesOf(parts.db, hold.id);
  const said = `Nobody has decided yet: it expires ${moment(hold.expiresAt, hold.about.timeZone)}.`;
  const card = { title: '', blocks: [text('⏰ ', said)], fallback: `${hold.subject}: ${said}` };
  await parts.outbox.send({
    holdId: hold.id,
    messages: copies.map(({ message: { conversation, id } }) => ({
      key: '',
      kind: 'hold reminder',
      target: { ...conversation, thread: conversation.thread ?? id },
      card,
      live: false,
    })),
    draw: (drawn) => drawn,
    signal,
  });
  await noteReminded(parts.db, hold.id);
}

/** The card that showed how the run goes says that it goes no further. A run that goes on draws its own. */
async function closeProgress(parts: DeskParts, { hold, run }: HoldView, signal: AbortSignal): Promise<void> {
  if (hold.state !== 'approved' && run?.state === 'failed' && run.progressMessage !== null) {
    await parts.outbox.edit(run.progressMessage, { card: progressCard(hold.subject, run, 0) }, signal);
  }
}

/** Whoever asked hears once what was decided and, where it was carried out, what came of it. */
async function tellRequester(parts: DeskParts, view: HoldView, signal: AbortSignal): Promise<void> {
  const { hold, run, votes } = view;
  const running =
    hold.state === 'approved' && run !== undefined && run.state !== 'done' && run.state !== 'failed';
  const making = hold.state === 'approved' && hold.kind === 'change' && hold.performedAt === null;
  const alone = votes.length === 1 && votes[0]?.personId === hold.requestedBy;
  if (hold.requestedBy === null || running || making || alone || hold.state === 'superseded') {
    return;
  }
  const platform = hold.places.map((place) => parseTarget(place)?.platform)[0];
  const target = await placeOf(parts, { id: hold.requestedBy }, platform);
  if (target === undefined) {
    return;
  }
  const card = holdCard(view);
  await parts.outbox.send({
    holdId: hold.id,
    messages: [
      {
        key: '',
        kind: 'hold told',
        target,
        card: { ...card, blocks: [...card.blocks, context('You asked for it.')] },
        live: false,
      },
    ],
    draw: (drawn) => drawn,
    signal,
  });
}

/** Redraws the cards of a run that was held, as it goes on. */
export async function followRun(parts: DeskParts, runId: number, signal: AbortSignal): Promise<void> {
  const id = await touchHoldOfRun(parts.db, runId);
  if (id !== undefined) {
    await tendHold(parts, id, signal);
  }
}
