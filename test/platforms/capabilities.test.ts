import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drillSender } from '../../bench/drill-senders.ts';
import { type Abilities, type Capability, capabilities } from '../../bot/capabilities.ts';
import { localAbilities } from '../../bot/local/capabilities.ts';
import { createLocal } from '../../bot/local/platform.ts';
import { mattermostAbilities } from '../../bot/mattermost/capabilities.ts';
import { slackAbilities } from '../../bot/slack/capabilities.ts';
import { teamsAbilities } from '../../bot/teams/capabilities.ts';
import { runsChart } from '../../engine/cards/chart.ts';
import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Sender } from '../../engine/contracts/chat.ts';
import { demoChannels, demoGroups, demoPeople } from '../../engine/demo/people.ts';
import { startBuyers } from '../bot/buyers.ts';
import { type Installation, install } from '../bot/installation.ts';
import { silentLog } from '../support/log.ts';
import { type Chat, type Seen, until, type Who } from './chat.ts';
import { localChat } from './local.ts';
import { mattermostChat } from './mattermost.ts';
import { slackChat } from './slack.ts';
import { teamsChat } from './teams.ts';

interface Stage {
  readonly chat: Chat;
  readonly bot: Installation;
  readonly sender: Sender;
}

const card = (title: string, ...blocks: readonly Block[]): Card => ({ title, fallback: title, blocks });

async function seen({ chat }: Stage, id: string): Promise<Seen> {
  return until(`message ${id}`, async () =>
    (await chat.messages('data', 'ada')).find((message) => message.id === id),
  );
}

/** What is looked at for each line of the table. A line without a look can't be. */
const looks: Readonly<Record<Capability, (stage: Stage) => Promise<boolean>>> = {
  slash: async ({ chat }) => {
    await chat.type('help', 'ada', 'data');
    return chat.by === 'command';
  },
  typedForm: async ({ chat }) => {
    await chat.type('new-alert', 'ada', 'data');
    return until('a form, or a button that opens it', async () => {
      const button = (await chat.messages('data', 'ada')).some(({ buttons }) =>
        buttons.includes('Open form'),
      );
      return (await chat.open('ada')) !== undefined ? { at: true } : button && { at: false };
    }).then(({ at }) => at);
  },
  steps: async ({ chat }) => {
    await first(chat, 'mia');
    return (await chat.open('mia'))?.title === 'What was found';
  },
  lookups: async ({ chat }) => {
    await first(chat, 'tom');
    await until('the next step', async () => (await chat.dialog('tom'))?.title === 'What was found');
    await chat.submit({ key: ['id'] }, 'tom');
    await until('the one after', async () => (await chat.dialog('tom'))?.title === 'What to say, and where');
    return (await chat.choose('to', 'sales-p', 'tom')) === `${chat.platform}:${chat.room('sales').id}`;
  },
  secrets: async ({ chat }) => {
    await chat.type('connect', 'ada', 'sales');
    return until('a form, or a link', async () => {
      const places = await Promise.all((['sales', 'direct'] as const).map((at) => chat.messages(at, 'ada')));
      const link = places.flat().some(({ text }) => text.includes('This asks for a password'));
      const form = (await chat.open('ada'))?.title === 'Connect';
      return form ? { at: true } : link && { at: false };
    }).then(({ at }) => at);
  },
  edits: async (stage) => {
    const posted = await stage.sender.post(stage.chat.room('data'), { card: card('Before') });
    await stage.sender.update(posted, { card: card('After') });
    return (await seen(stage, posted.id)).text.includes('After');
  },
  alone: async ({ chat }) => {
    await chat.type('whoami', 'tom', 'data');
    const answer = await until('an answer', async () =>
      (await chat.messages('data', 'tom')).find(({ text }) => text.includes('Known as')),
    );
    const others = await chat.messages('data', 'mia');
    return answer.alone && !others.some(({ text }) => text.includes('Known as'));
  },
  threads: async ({ chat, sender }) => {
    const root = await sender.post(chat.room('data'), { card: card('Root') });
    const answer = await sender.post({ ...chat.room('data'), thread: root.id }, { card: card('Answer') });
    return answer.conversation.thread === root.id && answer.id !== root.id;
  },
  mentions: async (stage) => {
    const person = await stage.sender.personByEmail('mia@northwind.example');
    const mention = {
      type: 'mention',
      name: 'Mia Lopez',
      ...(person === undefined ? {} : { person }),
    } as const;
    const block = { type: 'text', text: [mention, ' look'] } as const;
    const posted = await stage.sender.post(stage.chat.room('data'), { card: card('For Mia', block) });
    return (await seen(stage, posted.id)).mentions.includes('mia');
  },
  files: async ({ chat, sender }) => {
    const file = { name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('id\n1\n') };
    await sender.post(chat.room('data'), { card: card('Rows'), files: [file] });
    return (await chat.files('ada')).some(
      ({ name, bytes }) => name === 'rows.csv' && bytes.equals(file.bytes),
    );
  },
  pictures: async ({ chat, sender }) => {
    const png = await runsChart('Runs', []);
    await sender.post(chat.room('data'), { card: card('Chart', { type: 'image', png, alt: 'Runs' }) });
    return (await chat.files('ada')).some(({ bytes }) => bytes.toString('latin1', 1, 4) === 'PNG');
  },
  views: async ({ chat, bot }) => {
    const buyers = await startBuyers(bot);
    try {
      await buyers.role(chat.person('mia'), 'approver');
      await buyers.add(1, 3);
      await buyers.audience(await buyers.caller(chat.person('ada'), chat.room('data').id));
      const asks = await until('an approval', async () =>
        (await chat.messages('data', 'ada')).find(({ buttons }) => buttons.includes('Approve')),
      );
      const [mia = [], tom = []] = await Promise.all(
        (['mia', 'tom'] as const).map((who) => chat.buttonsFor?.(asks, who)),
      );
      return mia.includes('Approve') && !tom.includes('Approve');
    } finally {
      await buyers.close();
    }
  },
  groups: async ({ sender }) => sender.groups !== undefined && sender.members !== undefined,
  find: async ({ chat, bot, sender }) => {
    const mark = '7d444840-9dc0-11d1-b245-5ffdce74fad2';
    const posted = await sender.post(chat.room('data'), { card: card('Marked') }, { mark });
    // As when the process died before it could note anything down.
    await bot.running.app.db.query('delete from teams_posts');
    const found = await sender.find(chat.room('data'), mark, new Date(Date.now() - 60_000));
    return found?.id === posted.id;
  },
  noAddress: async ({ chat }) => chat.env['PUBLIC_URL'] === undefined,
  catchUp: async ({ chat }) => {
    await chat.away?.('help', 'ada');
    return chat.away === undefined
      ? false
      : until('an answer', async () =>
          (await chat.messages('direct', 'ada')).some(
            ({ alone, text }) => !alone && text.includes('new-alert'),
          ),
        );
  },
};

/** The first step of a form, filled in. */
async function first(chat: Chat, by: Who): Promise<void> {
  await chat.type('new-alert', by, 'data');
  await until('a form', async () => (await chat.dialog(by))?.title === 'What to watch');
  expect(await chat.submit({ sql: 'select 1 as id' }, by)).toEqual({});
}

function senderOf(chat: Chat, bot: Installation): Sender {
  const { env, db } = bot.running.app;
  return chat.platform === 'local'
    ? createLocal({ db, people: demoPeople, channels: demoChannels, groups: demoGroups, log: silentLog })
    : drillSender(chat.platform, env, db, silentLog);
}

describe.each<readonly [string, () => Promise<Chat>, Abilities, boolean]>([
  ['Slack', () => slackChat(), slackAbilities, true],
  ['Microsoft Teams without Graph', teamsChat, teamsAbilities, false],
  ['Mattermost 6.6', () => mattermostChat('6.6.1'), mattermostAbilities, false],
  ['Mattermost 11.2', () => mattermostChat('11.2.0'), mattermostAbilities, true],
  ['the local chat', async () => localChat(), localAbilities, true],
])('what docs/platforms.md says of %s', (_name, open, abilities, full) => {
  let stage: Stage;
  // One installation for all of them: each look has its own person or its own words.
  beforeAll(async () => {
    const chat = await open();
    const bot = await install({
      ...chat.env,
      ACTIVATE_ADMINS: 'ada@northwind.example',
      ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    });
    await chat.begin(bot);
    await bot.connect({ person: chat.person('ada'), conversation: chat.room('data') });
    stage = { chat, bot, sender: senderOf(chat, bot) };
  });
  afterAll(async () => {
    await stage.bot.stop();
    await stage.chat.close();
  });

  it.each(Object.keys(capabilities) as Capability[])('%s', async (name) => {
    const { can } = abilities[name];
    expect(await looks[name](stage)).toBe(can === 'yes' || (can === 'depends' && full));
  });

  it('says what stands in for what it lacks', () => {
    const lacking = Object.values(abilities).filter(({ can, how }) => can !== 'yes' && how === undefined);
    expect(lacking).toEqual([]);
  });
});
