import type { Json } from '../fakes/slack/blocks.ts';
import { type FakeSlack, type Posted, startFakeSlack, TOKENS } from '../fakes/slack.ts';
import {
  type Chat,
  cast,
  collect,
  everybody,
  forged,
  plain,
  rooms,
  type Seen,
  type Shown,
  until,
  type Who,
} from './chat.ts';

const people = { ada: 'U1ADA', mia: 'U2MIA', tom: 'U3TOM' } as const;
const channels = { data: 'C1DATA', sales: 'C2SALES' } as const;

/** Slack over Socket Mode, as the strict fake plays it; `members` are in the workspace. */
export async function slackChat(
  members: readonly Who[] = everybody,
): Promise<Chat & { readonly fake: FakeSlack }> {
  const fake = await startFakeSlack({
    users: members.map((who) => ({ id: people[who], ...cast[who] })),
    channels: (['data', 'sales'] as const).map((room) => ({
      id: channels[room],
      name: rooms[room],
      member: true,
    })),
  });
  const place = (where: 'data' | 'sales' | 'direct', as: Who): string =>
    where === 'direct' ? people[as] : channels[where];
  const found = (id: string): Posted => {
    const message = fake.state.messages.find(({ ts }) => ts === id);
    if (message === undefined) {
      throw new Error(`there is no message ${id}`);
    }
    return message;
  };
  const top = (by: Who) => {
    const view = fake.view(people[by])?.view;
    const title = collect(view?.['title'], 'text')[0] ?? '';
    return view === undefined || title === 'Working…' ? undefined : { title, blocks: view['blocks'] };
  };

  const shown = (by: Who): Shown | undefined => {
    const view = top(by);
    return view === undefined
      ? undefined
      : { title: view.title, text: wordsOf(view.blocks as readonly Json[]) };
  };

  return {
    fake,
    platform: 'slack',
    by: 'command',
    env: { SLACK_API_URL: fake.apiUrl, SLACK_BOT_TOKEN: TOKENS.bot, SLACK_APP_TOKEN: TOKENS.app },
    begin: async () => undefined,
    person: (who) => ({ kind: 'person', platform: 'slack', id: people[who] }),
    room: (room) => ({ kind: 'conversation', platform: 'slack', id: channels[room] }),
    type: (line, by, room) => fake.command(line, { user: people[by], channel: channels[room] }),
    press: ({ id }, label, by) => fake.press(found(id), label, people[by]),
    forge: async ({ id }, label, by) => {
      await fake.press(forged(found(id)), label, people[by]);
      return true;
    },
    dialog: async (by) => shown(by),
    open: async (by) => shown(by),
    submit: async (answers, by) => {
      const ack = await fake.submit(answers, people[by]);
      await until('Slack shows what came of it', async () =>
        fake.view(people[by]) === undefined ? true : top(by) !== undefined,
      );
      const errors = (ack?.['errors'] ?? {}) as Readonly<Record<string, string>>;
      return Object.fromEntries(
        Object.entries(errors).map(([id, sentence]) => [id.replace(/^f:/, ''), sentence]),
      );
    },
    choose: async (field, typed, by) => {
      const [first] = await fake.suggest(field, typed, people[by]);
      return String(first?.['value']);
    },
    messages: async (where, as) =>
      fake
        .messages(place(where, as))
        .filter(({ ephemeral }) => ephemeral === undefined || ephemeral === people[as])
        .map(seen),
    files: async () => [...fake.state.files.values()].map(({ name, bytes }) => ({ name, bytes })),
    violations: fake.violations,
    close: () => fake.close(),
  };
}

function seen(message: Posted): Seen {
  const raw = collect(message.blocks, 'text').join('\n');
  const mentions = [...raw.matchAll(/<@(\w+)>/g)].flatMap(([, id]) =>
    everybody.filter((who) => people[who] === id),
  );
  return {
    id: message.ts,
    text: wordsOf(message.blocks) || plain(message.text),
    mentions: [...new Set(mentions)],
    buttons: message.blocks
      .filter((block) => block['type'] === 'actions')
      .flatMap((block) => block['elements'] as Json[])
      .flatMap((element) => collect({ text: element['text'] }, 'text')),
    edited: message.edits > 0,
    alone: message.ephemeral !== undefined,
  };
}

function wordsOf(blocks: readonly Json[]): string {
  const named = collect(blocks, 'text', 'label', 'initial_value')
    .join('\n')
    .replace(
      /<@(\w+)>/g,
      (_, id) => `@${everybody.flatMap((who) => (people[who] === id ? [cast[who].name] : []))[0] ?? id}`,
    );
  return plain(named);
}
