import { randomUUID } from 'node:crypto';
import type { Card } from '../contracts/card.ts';
import type { Attachment, Message, Sender } from '../contracts/chat.ts';
import type { Db } from '../contracts/db.ts';
import { type ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import { formatTarget, type MessageRef, type PlatformId, type Target } from '../contracts/refs.ts';
import {
  carriedDeliveries,
  type Known,
  type NewDelivery,
  openDeliveries,
  type Settled,
  settleDeliveries,
} from '../store/deliveries.ts';
import { reservePace } from '../store/paces.ts';
import { Conversations } from './conversations.ts';
import { Settler } from './settler.ts';

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

/** What messages are about: a run of a sync, or a hold. No message is booked twice for one of them. */
export type About = { readonly runId: number; readonly syncId: number } | { readonly holdId: string };

export type Batch = About & {
  readonly messages: readonly Outgoing[];
  /** Adds buttons and answers to a card; the id is the delivery's. */
  readonly draw: (card: Card, deliveryId: string, message: Outgoing) => Card;
  readonly signal: AbortSignal;
};

/** A batch that is in the book: what is left to do is to post it. */
export interface Booked {
  readonly batch: Batch;
  /** What is settled already, at the places of its messages. */
  readonly results: (Sent | undefined)[];
  readonly open: readonly Open[];
}

/** A message in the book that may have to be posted. */
interface Open {
  readonly at: number;
  readonly message: Outgoing;
  readonly delivery: Pick<Known, 'id' | 'createdAt'>;
  /** What an interrupted attempt knew of it. */
  readonly known: Known | undefined;
}

/** Batches that are posted one after the other, the next one beginning before the one before has ended. */
export interface Stream {
  readonly conversations: Conversations;
  readonly settler: Settler;
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
    return this.post(await this.book(batch), this.stream());
  }

  /** For batches that follow each other: messages to one conversation are posted in the order of their batches. */
  stream(): Stream {
    return {
      conversations: new Conversations(conversationsAtOnce),
      settler: new Settler(this.parts),
    };
  }

  /** Writes a batch down. Nothing is posted yet. */
  async book(batch: Batch): Promise<Booked> {
    const { messages } = batch;
    const results = new Array<Sent | undefined>(messages.length);
    const names = messages.map(bookKey);
    const before = await this.earlier(batch, names);
    const ours: { at: number; message: Outgoing; row: NewDelivery }[] = [];
    for (const [at, message] of messages.entries()) {
      const said = before.get(names[at] ?? '');
      if (said?.state === 'ok') {
        results[at] = said;
      } else {
        ours.push({ at, message, row: toRow(batch, message) });
      }
    }
    const now = this.parts.now();
    const rows = ours.map((one) => one.row);
    const found = rows.length === 0 ? [] : await openDeliveries(this.parts.db, rows, now);
    const byName = new Map(found.map((delivery) => [rowKey(delivery), delivery]));
    const open: Open[] = [];
    for (const { at, message, row } of ours) {
      const known = byName.get(names[at] ?? '');
      results[at] = settledBefore(known);
      if (results[at] === undefined) {
        open.push({ at, message, delivery: known ?? { id: row.id, createdAt: now }, known });
      }
    }
    return { batch, results, open };
  }

  /**
   * Posts a batch that is in the book, and resolves once its outcomes are written down too. When it throws, nothing of
   * it is under way any more.
   */
  async post({ batch, results, open }: Booked, stream: Stream): Promise<readonly Sent[]> {
    const written = new Set<Promise<void>>();
    const groups = [...conversations(open)].map(([name, group]) =>
      stream.conversations.add(name, async () => {
        for (const one of group) {
          const sent = await this.deliver(batch, one);
          results[one.at] = sent;
          written.add(stream.settler.add(outcome(one.delivery.id, sent)));
        }
      }),
    );
    await allOf(groups);
    await allOf([...written]);
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
  private async earlier(batch: Batch, names: readonly string[]): Promise<ReadonlyMap<string, Sent>> {
    if ('holdId' in batch) {
      return new Map();
    }
    const keys = [...new Set(batch.messages.map((message) => message.key))];
    const carried = await carriedDeliveries(this.parts.db, batch.syncId, keys);
    const said = new Map<string, Sent>();
    for (const delivery of carried) {
      const name = rowKey(delivery);
      const message = batch.messages[names.indexOf(name)];
      if (message === undefined || delivery.runId === batch.runId) {
        continue;
      }
      if (delivery.state === 'ok' && delivery.message !== null) {
        said.set(name, { state: 'ok', message: delivery.message });
      } else if (delivery.state === 'unknown' || delivery.state === 'sending') {
        const found = await this.look(message.target, delivery);
        if (found !== undefined) {
          said.set(name, { state: 'ok', message: found });
          const settled = { id: delivery.id, state: 'ok', message: found, reason: null } as const;
          await settleDeliveries(this.parts.db, [settled], this.parts.now());
        }
      }
    }
    return said;
  }

  private async look(target: Target, delivery: Known): Promise<MessageRef | undefined> {
    return this.parts.senders.get(target.platform)?.find(target, delivery.id, delivery.createdAt);
  }

  private async deliver(batch: Batch, { message, delivery, known }: Open): Promise<Sent> {
    const sender = this.parts.senders.get(message.target.platform);
    if (sender === undefined) {
      return { state: 'retry', reason: `${message.target.platform} is not set up here.` };
    }
    const card = batch.draw(message.card, delivery.id, message);
    const payload = message.files === undefined ? { card } : { card, files: message.files };
    const waits = this.waits();
    for (let looking = known?.state === 'sending' || known?.state === 'unknown'; ; ) {
      batch.signal.throwIfAborted();
      try {
        const found = looking
          ? await sender.find(message.target, delivery.id, delivery.createdAt)
          : undefined;
        looking = false;
        return {
          state: 'ok',
          message: found ?? (await this.postNow(sender, batch, message, payload, delivery.id)),
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
    mark: string,
  ): Promise<MessageRef> {
    if (sender.paceMs > 0) {
      await this.pace(sender, message.target, batch.signal);
    }
    return sender.post(message.target, payload, { mark });
  }

  private async pace(sender: Sender, target: Target, signal: AbortSignal): Promise<void> {
    const wait = await reservePace(this.parts.db, formatTarget(target), sender.paceMs, this.parts.now());
    if (wait > 0) {
      await this.parts.sleep(wait, signal);
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

/** Waits for all, and only then throws the first failure: nothing may go on behind an error. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'rejected') {
      throw result.reason;
    }
  }
}

/** What needs no post, because an interrupted attempt came to its end. */
function settledBefore(known: Known | undefined): Sent | undefined {
  if (known?.state === 'ok' && known.message !== null) {
    return { state: 'ok', message: known.message };
  }
  return known?.state === 'rejected' ? { state: 'rejected', reason: known.reason ?? '' } : undefined;
}

function outcome(id: string, sent: Sent): Settled {
  return sent.state === 'ok'
    ? { id, state: 'ok', message: sent.message, reason: null }
    : { id, state: sent.state, message: null, reason: sent.reason };
}

function conversations(open: readonly Open[]): ReadonlyMap<string, Open[]> {
  const groups = new Map<string, Open[]>();
  for (const one of open) {
    const name = formatTarget(one.message.target);
    const group = groups.get(name);
    if (group === undefined) {
      groups.set(name, [one]);
    } else {
      group.push(one);
    }
  }
  return groups;
}

function toRow(batch: Batch, message: Outgoing): NewDelivery {
  return {
    id: randomUUID(),
    ...('holdId' in batch
      ? { runId: null, syncId: null, holdId: batch.holdId }
      : { runId: batch.runId, syncId: batch.syncId, holdId: null }),
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

/** The name of a message in its run; neither kind nor target holds a space. */
function bookKey(message: Outgoing): string {
  return `${message.kind} ${bookTarget(message.target)} ${message.key}`;
}

function rowKey(row: Pick<Known, 'key' | 'kind' | 'target'>): string {
  return `${row.kind} ${row.target} ${row.key}`;
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
