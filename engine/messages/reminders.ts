import { withAnswers } from '../cards/alert.ts';
import { context } from '../cards/build.ts';
import type { Db } from '../contracts/db.ts';
import type { Log } from '../contracts/log.ts';
import { cardsOf } from '../store/deliveries.ts';
import { endRunOutSnooze, type Reaction, reactionsTo } from '../store/reactions.ts';
import { syncById } from '../store/syncs.ts';
import type { Outbox } from './outbox.ts';

export interface ReminderParts {
  readonly db: Db;
  readonly outbox: Outbox;
  readonly now: () => Date;
  readonly log: Log;
}

/** Shows rows again whose snooze has run out, to the person who snoozed them, where the card is. */
export async function remindOfSnoozed(parts: ReminderParts, signal: AbortSignal): Promise<void> {
  while (await endRunOutSnooze(parts.db, parts.now(), (reaction) => remind(parts, reaction, signal))) {
    signal.throwIfAborted();
  }
}

async function remind(parts: ReminderParts, reaction: Reaction, signal: AbortSignal): Promise<void> {
  const sync = await syncById(parts.db, reaction.syncId);
  const [shown] = await cardsOf(parts.db, reaction.syncId, reaction.key);
  if (sync === undefined || shown?.card == null || shown.message === null || shown.closedAt !== null) {
    return;
  }
  const base = shown.card;
  const again = { type: 'mention', name: reaction.person, person: reaction.origin.person } as const;
  const card = { ...base, blocks: [context('⏰ The snooze is over, ', again, '.'), ...base.blocks] };
  const others = await reactionsTo(parts.db, sync.id, [reaction.key], parts.now());
  const [sent] = await parts.outbox.send({
    runId: shown.runId,
    syncId: sync.id,
    messages: [
      {
        key: reaction.key,
        kind: `reminder ${reaction.id}`,
        target: shown.message.conversation,
        card,
        live: false,
      },
    ],
    draw: (drawn, delivery) =>
      withAnswers(drawn, {
        delivery,
        alert: sync.name,
        reactions: others,
        closed: false,
        timeZone: sync.timeZone,
      }),
    signal,
  });
  if (sent?.state !== 'ok') {
    parts.log.warn({ sync: sync.name, reason: sent?.reason }, 'a reminder did not get through');
  }
}
