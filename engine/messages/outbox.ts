import { randomUUID } from 'node:crypto';
import type { Card } from '../contracts/card.ts';
import type { Attachment, Message, Sender } from '../contracts/chat.ts';
import type { Db } from '../contracts/db.ts';
import { type ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import { formatTarget, type MessageRef, type PlatformId, type Target } from '../contracts/refs.ts';
import {
  carriedDeliveries,
  type Delivery,
  type NewDelivery,
  openDeliveries,
  type Settled,
  settleDeliveries,
} from '../store/deliveries.ts';
import { reservePace } from '../store/paces.ts';
import { each } from './each.ts';

/** One message to be said: about which row, why, to whom. */
export interface Outgoing {
  readonly key: string;
  readonly kind: string;
  readonly target: Target;
  /** As it is kept; `draw` adds what belongs to the posted copy. */
  readonly card: Card;
  readonly files?: readonly Attachment[];
  readonly live: boolean;
}

/** What became of a message. `reason` is a sentence for people. */
export type Sent =
  | { readonly state: 'ok'; readonly message: MessageRef }
  | { readonly state: 'rejected' | 'retry' | 'unknown'; readonly reason: string };

export interface OutboxParts {
  readonly db: Db;
  readonly senders: ReadonlyMap<PlatformId, Sender>;
  readonly log: Log;
  readonly now: () => Date;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly patience: Patience;
}

/** How long to insist. Waits grow from `firstWaitMs`, doubling, with jitter. */
export interface Patience {
  readonly attempts: number;
  readonly firstWaitMs: number;
  /** A far side that asks for more is left until the next run. */
  readonly longestWaitMs: number;
}

export interface Batch {
  readonly runId: number;
  readonly syncId: number;
  readonly messages: readonly Outgoing[];
  /** Adds buttons and answers to a card; the id is the delivery's. */
  readonly draw: (card: Card, deliveryId: string, message: Outgoing) => Card;
  readonly signal: AbortSignal;
}

const conversationsAtOnce = 16;

/**
 * Sends messages effectively once. Each is written to the book before it is posted, with an id that the post carries;
 * whenever it is not known whether a post arrived (a timeout, a process that was killed), the platform is asked for a
 * message with that id before it is posted again.
 */
export class Outbox {
  private readonly parts: OutboxParts;

  constructor(parts: OutboxParts) {
    this.parts = parts;
  }

  /** Sends a batch: in order within a conversation, conversations side by side. One answer per message, in order. */
  async send(batch: Batch): Promise<readonly Sent[]> {
    const { messages } = batch;
    const results = new Array<Sent | undefined>(messages.length);
    const before = await this.earlier(batch);
    const ours: { at: number; row: NewDelivery }[] = [];
    for (const [at, message] of messages.entries()) {
      const said = before.get(bookKey(message));
      if (said?.state === 'ok') {
        results[at] = said;
      } else {
        ours.push({ at, row: toRow(batch, message) });
      }
    }
    const book = new Map(
      (await this.open(ours.map((one) => one.row))).map((delivery) => [rowKey(delivery), delivery]),
    );
    const settle = new Settler(this.parts);
    await each(conversations(ours, messages), conversationsAtOnce, async (group) => {
      for (const { at, row } of group) {
        const delivery = book.get(rowKey(row));
        const message = messages[at];
        if (delivery !== undefined && message !== undefined) {
          results[at] = await this.settleOne(batch, message, delivery, delivery.id !== row.id, settle);
        }
      }
    });
    await settle.done();
    return results.map((sent) => sent ?? { state: 'retry', reason: 'It was not tried.' });
  }

  /** Edits a posted message, with the same insistence. Doing it twice is harmless. */
  async edit(posted: MessageRef, message: Message, signal: AbortSignal): Promise<Sent> {
    const sender = this.parts.senders.get(posted.conversation.platform);
    if (sender === undefined) {
      return { state: 'retry', reason: `${posted.conversation.platform} is not set up here.` };
    }
    const waits = this.waits();
    for (;;) {
      signal.throwIfAborted();
      try {
        await sender.update(posted, message);
        return { state: 'ok', message: posted };
      } catch (thrown) {
        const error = asActivateError(thrown);
        const wait = error.retry === 'never' ? undefined : waits(error.retryAfterMs);
        if (wait === undefined) {
          return { state: error.retry === 'never' ? 'rejected' : 'retry', reason: sentence(error) };
        }
        await this.parts.sleep(wait, signal);
      }
    }
  }

  /** Messages that an earlier run got through for a change that is still open. */
  private async earlier(batch: Batch): Promise<ReadonlyMap<string, Sent>> {
    const keys = [...new Set(batch.messages.map((message) => message.key))];
    const carried = await carriedDeliveries(this.parts.db, batch.syncId, keys);
    const said = new Map<string, Sent>();
    for (const delivery of carried) {
      const message = batch.messages.find((one) => bookKey(one) === rowKey(delivery));
      if (message === undefined || delivery.runId === batch.runId) {
        continue;
      }
      if (delivery.state === 'ok' && delivery.message !== null) {
        said.set(rowKey(delivery), { state: 'ok', message: delivery.message });
      } else if (delivery.state === 'unknown' || delivery.state === 'sending') {
        const found = await this.look(message.target, delivery);
        if (found !== undefined) {
          said.set(rowKey(delivery), { state: 'ok', message: found });
          const settled = { id: delivery.id, state: 'ok', message: found, reason: null } as const;
          await settleDeliveries(this.parts.db, [settled], this.parts.now());
        }
      }
    }
    return said;
  }

  private async look(target: Target, delivery: Delivery): Promise<MessageRef | undefined> {
    return this.parts.senders.get(target.platform)?.find(target, delivery.id, delivery.createdAt);
  }

  private async open(rows: readonly NewDelivery[]): Promise<readonly Delivery[]> {
    return rows.length === 0 ? [] : openDeliveries(this.parts.db, rows, this.parts.now());
  }

  private async settleOne(
    batch: Batch,
    message: Outgoing,
    delivery: Delivery,
    resumed: boolean,
    settle: Settler,
  ): Promise<Sent> {
    if (resumed && delivery.state === 'ok' && delivery.message !== null) {
      return { state: 'ok', message: delivery.message };
    }
    if (resumed && delivery.state === 'rejected') {
      return { state: 'rejected', reason: delivery.reason ?? '' };
    }
    const inDoubt = resumed && (delivery.state === 'sending' || delivery.state === 'unknown');
    const sent = await this.post(batch, message, delivery, inDoubt);
    settle.add({
      id: delivery.id,
      state: sent.state,
      message: sent.state === 'ok' ? sent.message : null,
      reason: sent.state === 'ok' ? null : sent.reason,
    });
    return sent;
  }

  private async post(batch: Batch, message: Outgoing, delivery: Delivery, inDoubt: boolean): Promise<Sent> {
    const sender = this.parts.senders.get(message.target.platform);
    if (sender === undefined) {
      return { state: 'retry', reason: `${message.target.platform} is not set up here.` };
    }
    const card = batch.draw(message.card, delivery.id, message);
    const payload = message.files === undefined ? { card } : { card, files: message.files };
    const waits = this.waits();
    for (let looking = inDoubt; ; ) {
      batch.signal.throwIfAborted();
      try {
        const found = looking
          ? await sender.find(message.target, delivery.id, delivery.createdAt)
          : undefined;
        looking = false;
        return {
          state: 'ok',
          message: found ?? (await this.postNow(sender, batch, message, payload, delivery)),
        };
      } catch (thrown) {
        batch.signal.throwIfAborted();
        const error = asActivateError(thrown);
        looking ||= error.retry === 'unknown';
        const last = failed(error, looking);
        const wait = last.state === 'rejected' ? undefined : waits(error.retryAfterMs);
        if (wait === undefined) {
          return last;
        }
        this.parts.log.debug(
          { delivery: delivery.id, code: error.code, wait },
          'message will be tried again',
        );
        await this.parts.sleep(wait, batch.signal);
      }
    }
  }

  private async postNow(
    sender: Sender,
    batch: Batch,
    message: Outgoing,
    payload: Message,
    delivery: Delivery,
  ): Promise<MessageRef> {
    await this.pace(sender, message.target, batch.signal);
    return sender.post(message.target, payload, { mark: delivery.id });
  }

  private async pace(sender: Sender, target: Target, signal: AbortSignal): Promise<void> {
    if (sender.paceMs > 0) {
      const wait = await reservePace(this.parts.db, formatTarget(target), sender.paceMs, this.parts.now());
      if (wait > 0) {
        await this.parts.sleep(wait, signal);
      }
    }
  }

  /** The waits between attempts; undefined when it is time to give up for this run. */
  private waits(): (asked: number | undefined) => number | undefined {
    const { attempts, firstWaitMs, longestWaitMs } = this.parts.patience;
    let made = 0;
    return (asked) => {
      made += 1;
      const backoff = firstWaitMs * 2 ** (made - 1) * (0.75 + Math.random() / 2);
      const wait = Math.max(asked ?? 0, asked === undefined ? backoff : firstWaitMs / 10);
      return made >= attempts || wait > longestWaitMs ? undefined : wait;
    };
  }
}

/** Writes outcomes down as they come, several in one statement when they come faster than the database takes them. */
class Settler {
  private readonly parts: Pick<OutboxParts, 'db' | 'now'>;
  private waiting: Settled[] = [];
  private writing: Promise<void> | undefined;

  constructor(parts: Pick<OutboxParts, 'db' | 'now'>) {
    this.parts = parts;
  }

  add(settled: Settled): void {
    this.waiting.push(settled);
    this.writing ??= this.write();
  }

  async done(): Promise<void> {
    while (this.writing !== undefined || this.waiting.length > 0) {
      this.writing ??= this.write();
      await this.writing;
    }
  }

  private async write(): Promise<void> {
    try {
      while (this.waiting.length > 0) {
        const rows = this.waiting;
        this.waiting = [];
        await settleDeliveries(this.parts.db, rows, this.parts.now());
      }
    } finally {
      this.writing = undefined;
    }
  }
}

function conversations<T extends { at: number }>(ours: readonly T[], messages: readonly Outgoing[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const one of ours) {
    const target = messages[one.at]?.target;
    const name = target === undefined ? '' : formatTarget(target);
    const group = groups.get(name);
    if (group === undefined) {
      groups.set(name, [one]);
    } else {
      group.push(one);
    }
  }
  return [...groups.values()];
}

function toRow(batch: Batch, message: Outgoing): NewDelivery {
  return {
    id: randomUUID(),
    runId: batch.runId,
    syncId: batch.syncId,
    key: message.key,
    kind: message.kind,
    target: bookTarget(message.target),
    card: message.card,
    live: message.live,
  };
}

/** A thread is part of where a message goes, so it is part of the book's target. */
function bookTarget(target: Target): string {
  const thread = target.kind === 'conversation' ? target.thread : undefined;
  return thread === undefined ? formatTarget(target) : `${formatTarget(target)}#${thread}`;
}

function bookKey(message: Outgoing): string {
  return JSON.stringify([message.key, message.kind, bookTarget(message.target)]);
}

function rowKey(row: Pick<Delivery, 'key' | 'kind' | 'target'>): string {
  return JSON.stringify([row.key, row.kind, row.target]);
}

/** What a message is that got no further than this error; in doubt when nobody can say whether it was posted. */
function failed(error: ActivateError, inDoubt: boolean): Exclude<Sent, { state: 'ok' }> {
  const reason = sentence(error);
  if (inDoubt) {
    return { state: 'unknown', reason };
  }
  return { state: error.retry === 'never' ? 'rejected' : 'retry', reason };
}

function sentence(error: { readonly message: string; readonly fix: string | undefined }): string {
  return error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
}
