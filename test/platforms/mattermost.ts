import {
  actionsOf,
  BOT,
  elementsOf,
  type FakeMattermost,
  type FakePost,
  type Json,
  startFakeMattermost,
  TEAM,
  TOKEN,
  textOf,
  type Version,
} from '../fakes/mattermost.ts';
import {
  type Answers,
  type Chat,
  cast,
  everybody,
  plain,
  type Room,
  rooms,
  type Seen,
  type Shown,
  type Who,
} from './chat.ts';

const id = (name: string): string => name.padEnd(26, '0');
const people = { ada: id('ada1'), mia: id('mia1'), tom: id('tom1') } as const;
const usernames = { ada: 'ada.park', mia: 'mia', tom: 'tom.becker' } as const;
const channels = { data: id('data1'), sales: id('pql1') } as const;

/** Mattermost in one of its versions, with a bot that has no rights but those of a member. */
export async function mattermostChat(version: Version): Promise<Chat & { readonly fake: FakeMattermost }> {
  const fake = await startFakeMattermost({
    version,
    users: everybody.map((who) => ({
      id: people[who],
      username: usernames[who],
      email: cast[who].email,
      nickname: cast[who].name,
    })),
    channels: (['data', 'sales'] as const).map((room) => ({
      id: channels[room],
      name: rooms[room],
      type: 'P',
      team: TEAM,
      members: new Set([BOT, ...Object.values(people)]),
    })),
  });
  const driver = new Driver(fake);
  return {
    fake,
    platform: 'mattermost',
    by: 'command',
    env: { MATTERMOST_URL: fake.url, MATTERMOST_TOKEN: TOKEN, PUBLIC_URL: 'https://bot.example' },
    begin: async ({ running }) => {
      fake.behind = running.url ?? '';
    },
    person: (who) => ({ kind: 'person', platform: 'mattermost', id: people[who] }),
    room: (room) => ({ kind: 'conversation', platform: 'mattermost', id: channels[room] }),
    type: async (line, by, room) => {
      await fake.command(line, { user: people[by], channel: channels[room] });
    },
    press: (message, label, by) => driver.press(driver.found(message.id), label, by),
    // What a button carries is sealed: changed by a letter, nobody gets past the door with it.
    forge: async (message, label, by) => {
      await driver.press(changed(driver.found(message.id)), label, by);
      const shut = fake.state.violations.indexOf('a press was answered with 401');
      fake.state.violations.splice(shut, shut === -1 ? 0 : 1);
      return shut === -1;
    },
    dialog: async (by) => shown(await driver.dialog(by)),
    open: async (by) => shown(fake.dialog(people[by])?.dialog),
    away: async (line, by) => {
      fake.dropSockets(true);
      fake.say(line, { user: people[by], direct: true });
      fake.takeSockets();
    },
    submit: (answers, by) => driver.submit(answers, by),
    choose: (field, typed, by) => driver.choose(field, typed, by),
    messages: async (where, as) => driver.posts(where, as).map(seen),
    files: async () => [...fake.state.files.values()].map(({ name, bytes }) => ({ name, bytes })),
    violations: fake.violations,
    close: () => fake.close(),
  };
}

class Driver {
  private readonly fake: FakeMattermost;
  private readonly gone = new Set<string>();

  constructor(fake: FakeMattermost) {
    this.fake = fake;
  }

  posts(where: Room | 'direct', as: Who): readonly FakePost[] {
    const all = where === 'direct' ? this.fake.direct(people[as]) : this.fake.posts(channels[where]);
    return all.filter(({ ephemeral }) => ephemeral === undefined || ephemeral === people[as]);
  }

  found(wanted: string): FakePost {
    const post = this.fake.state.posts.find((one) => one.id === wanted);
    if (post === undefined) {
      throw new Error(`there is no post ${wanted}`);
    }
    return post;
  }

  async press(post: FakePost, label: string, by: Who): Promise<void> {
    const menu = actionsOf(post).find((action) =>
      ((action['options'] ?? []) as { text: string }[]).some(({ text }) => text === label),
    );
    const user = people[by];
    await (menu === undefined
      ? this.fake.press(post, label, { user })
      : this.fake.press(post, String(menu['name']), { user, option: label }));
    if (this.fake.dialog(user)?.dialog['callback_id'] === 'confirm') {
      await this.fake.submit({}, user);
    }
  }

  /** An older server wants a press before each step after the first. */
  async dialog(by: Who): Promise<Json | undefined> {
    const user = people[by];
    if (this.fake.dialog(user) === undefined) {
      const places = ['data', 'sales', 'direct'] as const;
      const next = places
        .flatMap((place) => this.posts(place, by))
        .toSorted((a, b) => a.create_at - b.create_at)
        .findLast((post) => !this.gone.has(post.id) && stepOf(post) !== undefined);
      if (next !== undefined) {
        this.gone.add(next.id);
        await this.fake.press(next, String(stepOf(next)), { user });
      }
    }
    return this.fake.dialog(user)?.dialog;
  }

  async submit(answers: Answers, by: Who): Promise<Record<string, string>> {
    const elements = elementsOf((await this.dialog(by)) ?? {});
    const values = Object.entries(answers).map(([name, value]) => {
      const several = elements.find((element) => element['name'] === name)?.['multiselect'] === true;
      return [name, several || typeof value === 'string' ? value : value.join(', ')];
    });
    const said = await this.fake.submit(Object.fromEntries(values), people[by]);
    const whole = said['error'] === undefined ? {} : { '': String(said['error']) };
    return { ...((said['errors'] ?? {}) as Record<string, string>), ...whole };
  }

  async choose(field: string, typed: string, by: Who): Promise<string> {
    const element = elementsOf((await this.dialog(by)) ?? {}).find((one) => one['name'] === field);
    if (element?.['data_source'] === 'dynamic') {
      const [first] = await this.fake.lookup(field, typed, people[by]);
      return String(first?.['value']);
    }
    const options = (element?.['options'] ?? []) as readonly { text: string; value: string }[];
    return options.find(({ text }) => text.includes(typed))?.value ?? typed;
  }
}

/** The post as it is, but for the last letters of what its buttons carry. */
function changed(post: FakePost): FakePost {
  return JSON.parse(JSON.stringify(post).replaceAll(/("token":"[\w-]+)[\w-]{4}"/g, '$1AAAA"')) as FakePost;
}

function stepOf(post: FakePost): unknown {
  return actionsOf(post)
    .map(({ name }) => name)
    .find((name) => name === 'Next' || name === 'Open form');
}

function seen(post: FakePost): Seen {
  const text = textOf(post);
  return {
    id: post.id,
    text: wordsOf(text),
    mentions: everybody.filter((who) => new RegExp(`@${usernames[who]}(?![\\w.])`).test(text)),
    buttons: actionsOf(post).flatMap((action) => [
      String(action['name']),
      ...((action['options'] ?? []) as { text: string }[]).map(({ text: option }) => option),
    ]),
    edited: post.edit_at > 0,
    alone: post.ephemeral !== undefined,
  };
}

function shown(dialog: Json | undefined): Shown | undefined {
  return dialog === undefined
    ? undefined
    : { title: String(dialog['title']), text: wordsOf(dialogText(dialog)) };
}

function dialogText(dialog: Json): string {
  const inputs = elementsOf(dialog).flatMap((element) => [element['display_name'], element['default']]);
  return [dialog['introduction_text'], ...inputs].filter((part) => part !== undefined).join('\n');
}

function wordsOf(text: string): string {
  const named = everybody.reduce(
    (all, who) => all.replace(new RegExp(`@${usernames[who]}(?![\\w.])`, 'g'), `@${cast[who].name}`),
    text,
  );
  return plain(named);
}
