import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseSchedule } from '../../engine/schedule/cron.ts';
import { type Buyers, startBuyers } from '../bot/buyers.ts';
import { type Installation, install } from '../bot/installation.ts';
import { type Chat, type Room, type Seen, until, type Who } from './chat.ts';
import { mattermostChat } from './mattermost.ts';
import { slackChat } from './slack.ts';

let slack: Chat;
let mattermost: Chat;
let bot: Installation;
let buyers: Buyers;

// One installation speaks in both. Mia works in Mattermost alone; Ada is in both, with one address.
beforeEach(async () => {
  slack = await slackChat(['ada', 'tom']);
  mattermost = await mattermostChat('11.2.0');
  bot = await install({
    ...slack.env,
    ...mattermost.env,
    ACTIVATE_ADMINS: 'ada@northwind.example',
    ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
  });
  await slack.begin(bot);
  await mattermost.begin(bot);
  buyers = await startBuyers(bot);
  await bot.connect({ person: slack.person('ada'), conversation: slack.room('data') });
});
afterEach(async () => {
  await bot.stop();
  await buyers.close();
  await slack.close();
  await mattermost.close();
  expect([...slack.violations, ...mattermost.violations]).toEqual([]);
});

const said = (chat: Chat, where: Room | 'direct', text: string, as: Who = 'ada'): Promise<Seen> =>
  until(`"${text}" in ${where} of ${chat.platform}`, async () =>
    (await chat.messages(where, as)).find((one) => one.text.includes(text)),
  );

it('reports an alert where it was made, and says it on the other platform, with its own mentions', async () => {
  const { services } = bot.running.app;
  await bot.warehouse.query('create table usage (id int primary key, workspace text, owner text)');
  await services.alerts.create(
    {
      name: 'free-tier',
      source: 'warehouse',
      sql: 'select id, workspace, owner from usage',
      key: ['id'],
      schedule: parseSchedule('every 1 second', 'UTC'),
      settings: {
        trigger: 'added',
        watch: [],
        title: 'Free tier used up',
        message: '{{ owner | mention }} {{ workspace }} is full.',
        mode: 'card',
        targets: [{ type: 'channel', to: `mattermost:${mattermost.room('sales').id}` }],
        tag: [],
        burst: 20,
        cooldownDays: 90,
        silentFirst: false,
        platform: 'mattermost',
      },
    },
    await buyers.caller(slack.person('ada'), slack.room('data').id),
  );
  await bot.warehouse.query("insert into usage values (1, 'Globex', 'mia@northwind.example')");

  const card = await said(mattermost, 'sales', '@Mia Lopez Globex is full.');
  expect(card.mentions).toEqual(['mia']);
  await mattermost.press(card, 'Claim', 'mia');
  expect((await said(mattermost, 'sales', 'Claimed by Mia Lopez')).id).toBe(card.id);

  await bot.warehouse.query('alter table usage rename column owner to keeper');
  const broken = await said(slack, 'data', 'free-tier has a problem');
  await bot.warehouse.query('alter table usage rename column keeper to owner');
  expect((await said(slack, 'data', 'free-tier works again')).id).toBe(broken.id);
  expect(await mattermost.messages('sales', 'ada')).toHaveLength(1);
  expect(await mattermost.messages('data', 'ada')).toEqual([]);
  expect(await slack.messages('sales', 'ada')).toEqual([]);
});

it('asks on two platforms, is decided once on either, and both cards tell of it', async () => {
  await buyers.role(mattermost.person('mia'), 'approver');
  await buyers.add(1, 40);
  const ada = await buyers.caller(slack.person('ada'), slack.room('data').id);
  await buyers.audience(ada, { approvers: ['mia@northwind.example', 'ada@northwind.example'] });
  const there = await said(mattermost, 'direct', 'Approve this run of spring-buyers?', 'mia');
  const here = await said(slack, 'data', 'Approve this run of spring-buyers?');

  await Promise.all([mattermost.press(there, 'Approve', 'mia'), slack.press(here, 'Approve', 'ada')]);

  const [one, other] = await Promise.all([
    said(mattermost, 'direct', '40 added to the list', 'mia'),
    said(slack, 'data', '40 added to the list'),
  ]);
  expect([one.id, other.id]).toEqual([there.id, here.id]);
  const by = /Approved by (Mia Lopez|Ada Park)/;
  expect(by.exec(one.text)?.[1]).toBe(by.exec(other.text)?.[1]);
  expect([...one.buttons, ...other.buttons]).not.toContain('Approve');
  const decisions = await bot.running.app.db.query(`select outcome from audit where kind = 'decision'`);
  expect(decisions).toEqual([{ outcome: 'approved' }]);
  expect(buyers.members.size).toBe(40);
});

it('knows the same person on each platform by the address that both vouch for', async () => {
  await slack.type('whoami', 'ada', 'data');
  await mattermost.type('whoami', 'ada', 'data');
  await mattermost.type('whoami', 'mia', 'data');

  const ada = await bot.running.app.identify(slack.person('ada'));
  expect(await bot.running.app.identify(mattermost.person('ada'))).toMatchObject({
    id: ada.id,
    role: 'admin',
  });
  for (const chat of [slack, mattermost]) {
    const card = await said(
      chat,
      'data',
      'On every platform, whoever has the confirmed address ada@northwind.example is you.',
    );
    expect(card.alone).toBe(true);
    expect(card.text).toContain('admin');
  }
  await mattermost.type('whoami', 'ada', 'data');
  const both = await until('both platforms are named', async () =>
    (await mattermost.messages('data', 'ada')).find(({ text }) =>
      /slack[\s\S]*mattermost|mattermost[\s\S]*slack/i.test(text),
    ),
  );
  expect(both.text).toContain('Known as');
});
