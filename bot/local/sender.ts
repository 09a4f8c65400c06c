import type { Message, Sender } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import {
  type ConversationRef,
  formatGroup,
  formatTarget,
  type MessageRef,
  type Target,
} from '../../engine/contracts/refs.ts';
import * as store from './store.ts';

export interface SenderOptions {
  readonly db: Db;
  readonly people: readonly store.LocalPerson[];
  readonly channels: readonly store.LocalChannel[];
  readonly groups?: readonly store.LocalGroup[];
  readonly now: () => Date;
}

/** The speaking half: rows in PostgreSQL, so that the worker's messages show up on the bot's page. */
export interface LocalSender extends Sender {
  /** Puts people and channels in place; every other method does it by itself. */
  ready(): Promise<void>;
}

const MOST_OPTIONS = 20;

/** Makes the speaking half of the local chat. */
export function createSender({ db, people, channels, groups = [], now }: SenderOptions): LocalSender {
  let seeding: Promise<void> | undefined;
  const ready = (): Promise<void> => {
    seeding ??= store.seed(db, people, channels, now()).catch((error: unknown) => {
      // The database was away: the next call tries again.
      seeding = undefined;
      throw error;
    });
    return seeding;
  };
  const open = async (to: Target): Promise<string> => {
    await ready();
    const id = to.kind === 'person' ? store.directId(to.id) : to.id;
    if (to.platform !== 'local' || (await store.conversation(db, id)) === undefined) {
      throw gone(to);
    }
    return id;
  };

  return {
    id: 'local',
    paceMs: 0,
    ready,
    async post(to, message, options = {}) {
      const id = await open(to);
      const thread = to.kind === 'conversation' ? to.thread : undefined;
      if (thread !== undefined && !(await store.startsThread(db, id, messageNumber(thread)))) {
        throw new ActivateError('TARGET_GONE', 'The thread is no longer there.', {
          fix: 'Post to the channel itself.',
        });
      }
      const at = now();
      const number = await posting(() =>
        store.add(db, { conversation: id, thread, mark: options.mark, at, content: content(message) }),
      );
      return ref(id, number, thread);
    },
    async update(posted, message) {
      const number = messageNumber(posted.id);
      const found =
        number !== undefined &&
        (await posting(() => store.change(db, number, message.card, message.files, now())));
      if (!found) {
        throw new ActivateError('TARGET_GONE', 'The message is no longer there.', {
          fix: 'Nothing to do: there is no message left to change.',
        });
      }
    },
    async find(to, mark) {
      // The mark alone is exact; a date would only let two clocks disagree.
      const id = to.kind === 'person' ? store.directId(to.id) : to.id;
      const number = await store.marked(db, id, mark);
      return number === undefined
        ? undefined
        : ref(id, number, to.kind === 'conversation' ? to.thread : undefined);
    },
    async personByEmail(email) {
      await ready();
      const wanted = email.trim().toLowerCase();
      const person = (await store.people(db)).find((one) => one.email.toLowerCase() === wanted);
      return person === undefined ? undefined : { kind: 'person', platform: 'local', id: person.id };
    },
    async profile(person) {
      await ready();
      const found = (await store.people(db)).find(
        (one) => one.id === person.id && person.platform === 'local',
      );
      return found === undefined
        ? undefined
        : { name: found.name, email: found.email, timeZone: found.timeZone };
    },
    async channels(typed) {
      await ready();
      const all = (await store.channels(db)).map(({ id, name }) => ({
        value: formatTarget({ kind: 'conversation', platform: 'local', id }),
        label: `#${name}`,
      }));
      return best(all, typed);
    },
    async people(typed) {
      await ready();
      const all = (await store.people(db)).map(({ id, name, email, title }) => ({
        value: formatTarget({ kind: 'person', platform: 'local', id }),
        label: name,
        hint: title ?? email,
      }));
      return best(all, typed);
    },
    groups: async (typed) => best(groups.map(groupOption), typed),
    async members(groupId) {
      await ready();
      const listed = groups.find(({ id }) => id === groupId)?.people ?? [];
      const there = (await store.people(db)).filter(({ id }) => listed.includes(id));
      return there.map(({ id }) => ({ kind: 'person', platform: 'local', id }));
    },
    async nameOf(conversation) {
      await ready();
      const found =
        conversation.platform === 'local' ? await store.conversation(db, conversation.id) : undefined;
      return found === undefined ? undefined : `${found.person === undefined ? '#' : '@'}${found.name}`;
    },
  };
}

/** A message's number in the store; undefined for an id that can't be one of ours. */
export function messageNumber(id: string): number | undefined {
  return /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}

/** A stored message by the words of the contract. */
export function ref(conversation: string, number: number, thread?: string): MessageRef {
  const at: ConversationRef = { kind: 'conversation', platform: 'local', id: conversation };
  return { conversation: thread === undefined ? at : { ...at, thread }, id: String(number) };
}

function content({ card, files = [] }: Message): store.NewMessage['content'] {
  return { card, files };
}

function gone(to: Target): ActivateError {
  return to.kind === 'person'
    ? new ActivateError('TARGET_GONE', `There is nobody called "${to.id}" in the local chat.`, {
        fix: 'Choose one of the people listed there.',
      })
    : new ActivateError('TARGET_GONE', `There is no open channel "${to.id}" in the local chat.`, {
        fix: 'Choose another channel; this one was archived or never existed.',
      });
}

/** A connection lost on the way leaves the commit in doubt; one that never came about, or a server's own answer, does not. */
async function posting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const cause = thrown instanceof ActivateError ? thrown.cause : thrown;
    const code = String((cause as { code?: unknown } | undefined)?.code);
    if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|[0-9A-Z]{5})$/.test(code)) {
      throw asActivateError(thrown);
    }
    throw new ActivateError('OUTCOME_UNKNOWN', 'The database went away while a message was being stored.', {
      cause: thrown,
      fix: 'It is looked for before it is posted again.',
    });
  }
}

function groupOption({ id, name, people }: store.LocalGroup): Options[number] {
  const hint = people.length === 1 ? '1 person' : `${people.length} people`;
  return { value: formatGroup({ platform: 'local', id }), label: `@${name}`, hint };
}

function best(options: Options, typed: string): Options {
  const wanted = typed.trim().replace(/^[#@]/, '').toLowerCase();
  const rank = (label: string): number => {
    const at = label.replace(/^[#@]/, '').toLowerCase().indexOf(wanted);
    return at === -1 ? 2 : Math.min(at, 1);
  };
  return options
    .filter(({ label, value }) => rank(label) < 2 || value === typed.trim())
    .sort((a, b) => rank(a.label) - rank(b.label))
    .slice(0, MOST_OPTIONS);
}
