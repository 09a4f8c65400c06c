import { randomUUID } from 'node:crypto';
import type { Connections } from '../connections.ts';
import { type Block, type Card, plain } from '../contracts/card.ts';
import type { Sender } from '../contracts/chat.ts';
import type { Db } from '../contracts/db.ts';
import type { Notice, Notices } from '../contracts/destination.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { MessageRef, Target } from '../contracts/refs.ts';
import { type ConnectionRecord, connectionById, listConnections } from '../store/connections.ts';

/** A request of this length is for somebody who waits: it is broken off after. */
const timeoutMs = 30_000;

/**
 * Destinations that take notices, as a platform among the others: an alert speaks to a webhook as it does to a channel.
 * Whoever listens knows a message by its mark, so that what is posted twice is one message, and an edit says which.
 */
export function createNotices(parts: { readonly db: Db; readonly connections: Connections }): Sender {
  const { db, connections } = parts;
  const listening = async (): Promise<readonly ConnectionRecord[]> =>
    (await listConnections(db, 'destination')).filter(({ connector }) =>
      connections.connector(connector).offers.includes('notify'),
    );
  const noticesOf = async (id: string): Promise<Notices> =>
    connections.part(await connectionById(db, 'destination', Number(id)), 'notify');
  const send = async (to: Target, notice: Notice): Promise<MessageRef> => {
    if (to.kind === 'person') {
      throw new ActivateError('TARGET_GONE', 'A webhook has no people.');
    }
    await (await noticesOf(to.id)).post(notice, AbortSignal.timeout(timeoutMs));
    return { conversation: { ...to }, id: notice.mark };
  };
  return {
    id: 'webhook',
    paceMs: 0,
    post: (to, { card }, options) => send(to, noticeOf(card, options?.mark ?? randomUUID(), false)),
    update: async (posted, { card }) => {
      await send(posted.conversation, noticeOf(card, posted.id, true));
    },
    find: async () => undefined,
    personByEmail: async () => undefined,
    profile: async () => undefined,
    channels: async (typed) =>
      (await listening())
        .filter(({ name }) => name.includes(typed.trim().toLowerCase()))
        .slice(0, 20)
        .map(({ id, name }) => ({ value: `webhook:${id}`, label: name })),
    people: async () => [],
    nameOf: async ({ id }) => (await listening()).find((record) => String(record.id) === id)?.name,
  };
}

/** A card without its looks: what a program can make something of. Buttons are for people and left out. */
function noticeOf(card: Card, mark: string, update: boolean): Notice {
  const text = card.blocks.flatMap(textOf).join('\n');
  const facts = card.blocks.flatMap((block) =>
    block.type === 'fields' ? block.items.map(({ label, value }) => ({ label, value: plain(value) })) : [],
  );
  return { mark, title: card.title, text, facts, update };
}

function textOf(block: Block): readonly string[] {
  switch (block.type) {
    case 'text':
    case 'context':
      return [plain(block.text)];
    case 'heading':
    case 'code':
      return [block.text];
    case 'table':
      return [block.columns.join('\t'), ...block.rows.map((row) => row.join('\t'))];
    case 'fields':
    case 'divider':
    case 'image':
    case 'actions':
      return [];
    default:
      return block satisfies never;
  }
}
