import { withAnswers } from '../cards/alert.ts';
import type { Card } from '../contracts/card.ts';
import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Services } from '../services.ts';
import { cardsOf, type Delivery, deliveriesOf, deliveryById } from '../store/deliveries.ts';
import { modelById } from '../store/models.ts';
import { endReaction, react, reactionsTo } from '../store/reactions.ts';
import { type Sync, syncById } from '../store/syncs.ts';
import type { VerbParts } from './parts.ts';

/** Answers to cards: stored, shown on every copy, respected by later runs. */
export function cardVerbs(parts: VerbParts): Services['cards'] {
  return {
    answer: async (id, answer, by, until) => {
      const { delivery, sync } = await pressed(parts, id);
      await react(parts.db, {
        alert: sync.name,
        key: delivery.key,
        answer,
        person: by.name,
        email: by.email ?? null,
        at: parts.now(),
        until,
        syncId: sync.id,
        personId: Number(by.id),
        origin: originOf(by),
      });
      return redraw(parts, delivery, sync);
    },
    release: async (id, answer) => {
      const { delivery, sync } = await pressed(parts, id);
      await endReaction(parts.db, sync.id, delivery.key, answer, parts.now());
      return redraw(parts, delivery, sync);
    },
    details: async (id) => {
      const { delivery, sync } = await pressed(parts, id);
      const model = await modelById(parts.db, sync.modelId);
      const key = model.key.length > 1 ? delivery.key.split(' / ') : [delivery.key];
      const [row, history, reactions] = await Promise.all([
        parts.told.get(sync.id, key),
        deliveriesOf(parts.db, sync.id, delivery.key, 20),
        reactionsTo(parts.db, sync.id, [delivery.key], parts.now()),
      ]);
      return { delivery, sync, row, history, reactions };
    },
  };
}

function originOf(by: Caller): Pick<Caller, 'person' | 'conversation'> {
  return { person: by.person, conversation: by.conversation };
}

async function pressed(
  parts: VerbParts,
  id: string,
): Promise<{ readonly delivery: Delivery; readonly sync: Sync }> {
  const known = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)
    ? await deliveryById(parts.db, id)
    : undefined;
  const sync = known === undefined ? undefined : await syncById(parts.db, known.syncId);
  if (known === undefined || sync === undefined) {
    throw new ActivateError('NOT_FOUND', 'The alert of this card was deleted.', {
      fix: 'Nothing was changed.',
    });
  }
  return { delivery: known, sync };
}

/** Draws all copies of a row's card anew, and answers with the one that was pressed. */
async function redraw(parts: VerbParts, delivery: Delivery, sync: Sync): Promise<Card> {
  const reactions = await reactionsTo(parts.db, sync.id, [delivery.key], parts.now());
  const draw = (copy: Delivery): Card =>
    withAnswers(copy.card as Card, {
      delivery: copy.id,
      alert: sync.name,
      reactions,
      closed: copy.closedAt !== null,
      timeZone: sync.timeZone,
    });
  const copies = await cardsOf(parts.db, sync.id, delivery.key);
  const others = copies.filter((copy) => copy.id !== delivery.id && copy.message !== null);
  await Promise.all(
    others.map(async (copy) => {
      const message = copy.message as NonNullable<Delivery['message']>;
      const sender = parts.senders.get(message.conversation.platform);
      try {
        await sender?.update(message, { card: draw(copy) });
      } catch (error) {
        parts.log.warn({ delivery: copy.id, error: String(error) }, 'a copy of a card could not be redrawn');
      }
    }),
  );
  return draw(delivery);
}
