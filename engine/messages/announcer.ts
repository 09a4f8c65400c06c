import { setImmediate } from 'node:timers/promises';
import { alertCard, closed, type Why, withAnswers } from '../cards/alert.ts';
import { bold, context, text } from '../cards/build.ts';
import type { Card } from '../contracts/card.ts';
import { asActivateError } from '../contracts/errors.ts';
import { formatTarget, type MessageRef, type Target } from '../contracts/refs.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { carryDeliveries, type Delivery, liveCards, redrawLive } from '../store/deliveries.ts';
import { reactionsTo } from '../store/reactions.ts';
import type { RowText } from '../template/template.ts';
import { resolveMentions } from './mentions.ts';
import type { Booked, Outgoing, Sent, Stream } from './outbox.ts';
import { isLoud, rowOf, type Voice } from './voice.ts';

/** A change with what is needed to speak of it. */
interface Item {
  readonly entry: PlanEntry;
  readonly row: RowText;
  readonly previous: RowText;
  readonly why: Why;
  /** Its card on the targets that show one already. */
  readonly live: readonly Delivery[];
  accepted: boolean;
}

/** Between so many, messages that are being posted get their turn. */
const composedAtOnce = 8;

/** Changes whose messages are in the book, ready to be posted. */
export interface Prepared {
  readonly items: readonly Item[];
  /** The item of each message. */
  readonly of: readonly Item[];
  readonly booked: Booked;
}

/** Says changes one by one: a message each, or a card per row that is edited as the row changes. */
export class Announcer {
  private readonly voice: Voice;
  private readonly stream: Stream;

  constructor(voice: Voice) {
    this.voice = voice;
    this.stream = voice.outbox.stream();
  }

  /** Composes what these changes call for and writes it down. Edits of cards that are there already are done here. */
  async prepare(entries: readonly PlanEntry[]): Promise<Prepared> {
    const { voice } = this;
    const live =
      voice.settings.mode === 'card' ? await this.liveByKey(entries) : new Map<string, Delivery[]>();
    const items = entries.map((entry) => this.item(entry, live.get(entry.key) ?? []));
    const of: Item[] = [];
    const messages: Outgoing[] = [];
    for (const [at, item] of items.entries()) {
      if (at % composedAtOnce === composedAtOnce - 1) {
        await setImmediate();
      }
      for (const message of await this.messagesFor(item)) {
        of.push(item);
        messages.push(message);
      }
    }
    const booked = await voice.outbox.book({
      runId: voice.planned.run.id,
      syncId: voice.planned.sync.id,
      messages,
      draw: (card, delivery, message) => this.draw(card, delivery, message.kind === 'note'),
      signal: voice.planned.signal,
    });
    return { items, of, booked };
  }

  /** Posts what was prepared, after what was prepared before it; says for each change whether it counts as told. */
  async tell({ items, of, booked }: Prepared): Promise<readonly boolean[]> {
    const sent = await this.voice.outbox.post(booked, this.stream);
    for (const [at, item] of of.entries()) {
      this.count(item, sent[at]);
    }
    await this.carry(items);
    return items.map((item) => item.accepted);
  }

  private item(entry: PlanEntry, live: readonly Delivery[]): Item {
    const { columns } = this.voice.planned;
    const previous = rowOf(entry.previous, columns);
    const row = entry.line === undefined ? previous : rowOf(entry.line, columns);
    return { entry, row, previous, why: this.why(entry), live, accepted: true };
  }

  private why(entry: PlanEntry): Why {
    if (this.voice.settings.trigger === 'threshold') {
      return entry.kind === 'removed' ? 'recovered' : 'fired';
    }
    // A card that says that a row appeared goes on saying so while its numbers move.
    return this.voice.settings.trigger === 'added' && entry.kind === 'changed' ? 'added' : entry.kind;
  }

  /** The messages that a change still needs. What edits a live card is done here, at once. */
  private async messagesFor(item: Item): Promise<readonly Outgoing[]> {
    try {
      if (item.live.length > 0) {
        return await this.editLive(item);
      }
      return isLoud(this.voice.settings, item.entry) ? await this.posts(item) : [];
    } catch (thrown) {
      this.voice.planned.signal.throwIfAborted();
      const error = asActivateError(thrown);
      if (error.code === 'BUG' || error.retry !== 'never') {
        throw error;
      }
      // This row's message can't be written (its template fails on its values): the others can.
      item.accepted = false;
      this.voice.counts.failed += 1;
      this.voice.planned.log.warn({ code: error.code, reason: error.message }, 'row could not be announced');
      return [];
    }
  }

  private async posts(item: Item): Promise<readonly Outgoing[]> {
    const card = await this.compose(item);
    const { settings } = this.voice;
    const messages: Outgoing[] = [];
    for (const target of settings.targets) {
      const route = await this.voice.routes.find(target, item.row);
      if ('reason' in route) {
        this.refuse(item, route.reason);
      } else {
        const live = settings.mode === 'card' && item.entry.kind !== 'removed';
        messages.push({ key: item.entry.key, kind: item.entry.kind, target: route.to, card, live });
      }
    }
    return unique(messages);
  }

  private async editLive(item: Item): Promise<readonly Outgoing[]> {
    const { voice } = this;
    const leaves = item.entry.kind === 'removed';
    const { key } = item.entry;
    const now = voice.planned.now();
    const kept: { id: string; card: Card; closed: boolean }[] = [];
    const notes: Outgoing[] = [];
    const reactions = await reactionsTo(voice.db, voice.planned.sync.id, [key], now);
    const fresh = leaves ? undefined : await this.compose(item);
    for (const delivery of item.live) {
      if (delivery.message === null) {
        continue;
      }
      const why = item.why === 'recovered' ? 'recovered' : 'removed';
      const base = fresh ?? closed(delivery.card as Card, why, now, voice.planned.sync.timeZone);
      const card = withAnswers(base, {
        delivery: delivery.id,
        alert: voice.planned.sync.name,
        reactions,
        closed: leaves,
        timeZone: voice.planned.sync.timeZone,
      });
      const sent = await voice.outbox.edit(delivery.message, { card }, voice.planned.signal);
      if (sent.state === 'retry' || sent.state === 'unknown') {
        this.refuse(item, sent.reason);
        continue;
      }
      // A card that can't be edited any more was deleted by somebody: there is nothing left to keep up.
      kept.push({ id: delivery.id, card: base, closed: leaves || sent.state === 'rejected' });
      notes.push(...(sent.state === 'ok' ? this.notes(item, delivery.message) : []));
    }
    await redrawLive(voice.db, kept, now);
    return notes;
  }

  /** A number that moves within the card is no news of its own; that the row left is. */
  private notes(item: Item, { conversation, id }: MessageRef): readonly Outgoing[] {
    const news = item.entry.kind === 'removed' || isLoud(this.voice.settings, item.entry);
    return news ? [this.note(item, { ...conversation, thread: conversation.thread ?? id })] : [];
  }

  private refuse(item: Item, reason: string): void {
    item.accepted = false;
    this.voice.counts.failed += 1;
    this.voice.failures.push(reason);
  }

  /** What happened to the row, for the card's thread. */
  private note(item: Item, target: Target): Outgoing {
    const { text: said } = this.write(item);
    const changes = Object.entries(item.row).flatMap(([name, value]) =>
      item.entry.kind === 'changed' && value !== (item.previous[name] ?? null)
        ? [`${name}: ${item.previous[name] ?? '—'} → ${value ?? '—'}`]
        : [],
    );
    const blocks =
      item.why === 'recovered'
        ? [text(...said)]
        : item.entry.kind === 'removed'
          ? [text('The row is gone; this is closed.')]
          : [text(bold('Changed')), context(changes.join('  ·  '))];
    const fallback = item.entry.kind === 'removed' ? 'Closed' : `Changed: ${changes.join(', ')}`;
    return { key: item.entry.key, kind: 'note', target, card: { title: '', blocks, fallback }, live: false };
  }

  private write(item: Item): ReturnType<Voice['text']['write']> {
    const { planned, text: texts } = this.voice;
    const scope = {
      row: item.row,
      previous: item.previous,
      alert: { name: planned.sync.name },
      change: item.entry.kind,
    };
    return texts.write(scope, item.why === 'recovered');
  }

  private async compose(item: Item): Promise<Card> {
    const { planned, tags, roster } = this.voice;
    const { title, text: said } = this.write(item);
    const card = alertCard({
      title,
      text: said,
      tags,
      alert: planned.sync.name,
      key: item.entry.key,
      why: item.why,
    });
    return resolveMentions(card, roster);
  }

  private draw(card: Card, delivery: string, isNote: boolean): Card {
    const { sync } = this.voice.planned;
    return isNote
      ? card
      : withAnswers(card, {
          delivery,
          alert: sync.name,
          reactions: [],
          closed: false,
          timeZone: sync.timeZone,
        });
  }

  private count(item: Item, sent: Sent | undefined): void {
    if (sent?.state === 'ok') {
      this.voice.counts.messages += 1;
      return;
    }
    this.refuse(item, sent?.reason ?? 'It was not tried.');
  }

  private async carry(items: readonly Item[]): Promise<void> {
    const open = items.filter((item) => !item.accepted).map((item) => item.entry.key);
    const settled = items.filter((item) => item.accepted).map((item) => item.entry.key);
    await carryDeliveries(this.voice.db, this.voice.planned.sync.id, {
      open,
      settled,
      runId: this.voice.planned.run.id,
    });
  }

  private async liveByKey(entries: readonly PlanEntry[]): Promise<Map<string, Delivery[]>> {
    const keys = entries.map((entry) => entry.key);
    const byKey = new Map<string, Delivery[]>();
    for (const delivery of await liveCards(this.voice.db, this.voice.planned.sync.id, keys)) {
      // A card that this very run posted before it was interrupted is the run's own message, not an older one.
      if (delivery.runId !== this.voice.planned.run.id) {
        byKey.set(delivery.key, [...(byKey.get(delivery.key) ?? []), delivery]);
      }
    }
    return byKey;
  }
}

/** Two targets may name the same place: it hears a thing once. */
function unique(messages: readonly Outgoing[]): readonly Outgoing[] {
  return [...new Map(messages.map((message) => [formatTarget(message.target), message])).values()];
}
