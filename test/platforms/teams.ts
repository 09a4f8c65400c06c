import type { Raw } from '../../engine/contracts/refs.ts';
import {
  APP,
  directOf,
  type FakeTeams,
  GENERAL,
  type Posted,
  SECRET,
  startFakeTeams,
  TENANT,
  teamsId,
} from '../fakes/teams.ts';
import { every, inputsOf, type Json, textOf } from '../fakes/teams-cards.ts';
import { added, type Client, cardOf, clientOf } from '../fakes/teams-client.ts';
import {
  type Chat,
  cast,
  everybody,
  forged,
  freePort,
  type Got,
  plain,
  type Room,
  rooms,
  type Seen,
  type Shown,
  until,
  type Who,
} from './chat.ts';

const people = {
  ada: '10000000-0000-4000-8000-00000000000a',
  mia: '20000000-0000-4000-8000-00000000000b',
  tom: '30000000-0000-4000-8000-00000000000c',
} as const;
const channels = {
  data: '19:data00000000000000000000000000000@thread.tacv2',
  sales: '19:pql000000000000000000000000000000@thread.tacv2',
} as const;

/** Teams, with one team that the bot was added to. */
export async function teamsChat(): Promise<Chat & { readonly fake: FakeTeams }> {
  const fake = await startFakeTeams({
    people: everybody.map((who) => ({ id: people[who], ...cast[who] })),
    channels: (['data', 'sales'] as const).map((room) => ({
      id: channels[room],
      name: rooms[room],
      team: GENERAL,
    })),
  });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const driver = new Driver(fake, url);
  return {
    fake,
    platform: 'teams',
    by: 'mention',
    env: {
      PORT: String(port),
      PUBLIC_URL: url,
      TEAMS_APP_ID: APP,
      TEAMS_TENANT_ID: TENANT,
      TEAMS_APP_PASSWORD: SECRET,
      TEAMS_LOGIN_URL: fake.loginUrl,
      TEAMS_OPENID_URL: fake.openIdUrl,
      TEAMS_SERVICE_URL: fake.serviceUrl,
    },
    begin: async () => {
      await driver.client('ada').event('conversationUpdate', added(), { channel: GENERAL });
      await until('the bot reads the channels', async () =>
        fake.http.to('GET /teams/v3/teams/:id/conversations').length > 0 ? true : undefined,
      );
    },
    person: (who) => ({ kind: 'person', platform: 'teams', id: people[who] }),
    room: (room) => ({ kind: 'conversation', platform: 'teams', id: channels[room] }),
    type: async (line, by, room) => {
      await driver.client(by).say(line, { channel: channels[room] });
    },
    press: ({ id }, label, by) => driver.press(driver.found(id), label, by),
    forge: async ({ id }, label, by) => {
      await driver.press(forged(driver.found(id)), label, by);
      return true;
    },
    dialog: async (by) => shown(await driver.dialog(by)),
    open: async (by) => shown(driver.client(by).dialog),
    buttonsFor: async ({ id }, by) => buttonsOf(await driver.client(by).look(driver.found(id))),
    submit: async (answers, by) => {
      const before = await driver.dialog(by);
      await driver.client(by).submit(answers);
      const after = driver.client(by).dialog;
      return after === undefined || after.title !== before?.title ? {} : errorsOf(after.card);
    },
    choose: async (field, typed, by) => {
      const [first] = await driver.client(by).search(field, typed);
      return String(first?.value);
    },
    messages: async (where, as) => driver.posts(where, as).map(seen),
    files: (as) => driver.files(as),
    get violations() {
      return fake.violations;
    },
    close: () => fake.close(),
  };
}

class Driver {
  private readonly fake: FakeTeams;
  private readonly clients: Readonly<Record<Who, Client>>;
  private readonly gone = new Set<string>();
  private readonly taken = new Map<string, Promise<Buffer>>();

  constructor(fake: FakeTeams, url: string) {
    this.fake = fake;
    this.clients = {
      ada: clientOf(fake, url, people.ada),
      mia: clientOf(fake, url, people.mia),
      tom: clientOf(fake, url, people.tom),
    };
  }

  client(who: Who): Client {
    return this.clients[who];
  }

  posts(where: Room | 'direct', as: Who): readonly Posted[] {
    const own = (reader: string | undefined): boolean =>
      reader === undefined || reader === people[as] || reader === teamsId(people[as]);
    return this.fake
      .messages(where === 'direct' ? directOf(people[as]) : channels[where])
      .filter(({ deleted, onlyFor }) => !deleted && own(onlyFor));
  }

  found(id: string): Posted {
    const message = this.fake.state.messages.find((one) => one.id === id);
    if (message === undefined) {
      throw new Error(`there is no message ${id}`);
    }
    return message;
  }

  /** A button that asks before it acts unfolds the question, with the button that acts below it. */
  async press(message: Posted, label: string, by: Who): Promise<void> {
    const asks = titlesOf(cardOf(message)).includes(`Yes: ${label}`);
    await this.client(by).press(message, asks ? `Yes: ${label}` : label);
  }

  /** Teams opens a form for a press alone. */
  async dialog(by: Who): Promise<Client['dialog']> {
    const client = this.client(by);
    if (client.dialog === undefined) {
      const ready = (['data', 'sales', 'direct'] as const)
        .flatMap((place) => this.posts(place, by))
        .findLast((post) => !this.gone.has(post.id) && seen(post).buttons.includes('Open form'));
      if (ready !== undefined) {
        this.gone.add(ready.id);
        await client.press(ready, 'Open form');
      }
    }
    return client.dialog;
  }

  /** What is handed over once it was accepted, which it is once. */
  private accepted(post: Posted, as: Who): Promise<Buffer> {
    const { uploads } = this.fake.state;
    const take = async (): Promise<Buffer> => {
      const before = uploads.length;
      await this.client(as).consent(post, 'accept');
      return until('a file is handed over', async () => uploads[before]?.body);
    };
    const taken = this.taken.get(post.id) ?? take();
    this.taken.set(post.id, taken);
    return taken;
  }

  /** Pictures at their addresses, and files that are handed over once they were accepted; a link is no file. */
  async files(as: Who): Promise<readonly Got[]> {
    const posts = (['data', 'sales', 'direct'] as const).flatMap((place) => this.posts(place, as));
    const got: Got[] = [];
    for (const post of posts) {
      const [attachment] = (post.activity['attachments'] ?? []) as { contentType: string; name?: string }[];
      if (attachment?.contentType.endsWith('file.consent') === true) {
        got.push({ name: attachment.name ?? '', bytes: await this.accepted(post, as) });
        continue;
      }
      for (const { type, url } of every(cardOf(post)) as { type?: string; url?: string }[]) {
        if (type === 'Image' && url !== undefined) {
          const response = await fetch(url);
          got.push({ name: 'picture.png', bytes: Buffer.from(await response.arrayBuffer()) });
        }
      }
    }
    return got;
  }
}

function seen(message: Posted): Seen {
  const card = cardOf(message);
  const entities = ((card['msteams'] as Json | undefined)?.['entities'] ?? []) as {
    mentioned: { id: string };
  }[];
  const mentioned = entities.map((entity) => entity.mentioned.id);
  return {
    id: message.id,
    text: wordsOf(card),
    mentions: everybody.filter((who) => mentioned.includes(people[who])),
    buttons: buttonsOf(card),
    edited: message.edits > 0,
    alone: message.onlyFor !== undefined,
  };
}

function shown(dialog: Client['dialog']): Shown | undefined {
  return dialog === undefined ? undefined : { title: dialog.title, text: wordsOf(dialog.card) };
}

function buttonsOf(card: unknown): readonly string[] {
  return titlesOf(card).map((title) => title.replace(/^Yes: /, ''));
}

function titlesOf(card: unknown): readonly string[] {
  const actions = every(card).filter((one) => String(one['type']).startsWith('Action.') && !('card' in one));
  return [...new Set(actions.map(({ title }) => String(title)))];
}

function wordsOf(card: unknown): string {
  return plain(textOf(runsJoined(card)).replace(/<at>([^<]*)<\/at>/g, '@$1'));
}

/** Runs of one text stand on one line. */
function runsJoined(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) {
    return json;
  }
  if (Array.isArray(json)) {
    return json.map(runsJoined);
  }
  const { inlines, ...rest } = json as { inlines?: readonly { text?: string }[] };
  return inlines === undefined
    ? Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, runsJoined(value)]))
    : { ...rest, text: inlines.map(({ text }) => text ?? '').join('') };
}

/** The sentence before an input is about that input when it begins with its label. */
function errorsOf(card: Json): Raw {
  const body = (card['body'] ?? []) as readonly Json[];
  const errors: Record<string, string> = {};
  for (const [at, element] of body.entries()) {
    const sentence = /^⚠️ (.*)$/s.exec(textOf(element))?.[1];
    if (sentence !== undefined) {
      const [next] = inputsOf([body[at + 1] ?? {}]);
      const label = `${String(next?.['label']).replace(/ \(optional\)$/, '')}: `;
      const about = sentence.startsWith(label);
      errors[about ? String(next?.['id']).replace(/^[fg]_/, '') : ''] = about
        ? sentence.slice(label.length)
        : sentence;
    }
  }
  return errors;
}
