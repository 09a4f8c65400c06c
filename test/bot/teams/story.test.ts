import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  APP,
  directOf,
  type FakeTeams,
  GENERAL,
  MAYA,
  type Posted,
  SECRET,
  startFakeTeams,
  TENANT,
} from '../../fakes/teams.ts';
import { textOf } from '../../fakes/teams-cards.ts';
import { added, type Client, cardOf, clientOf } from '../../fakes/teams-client.ts';
import { freePort } from '../../platforms/chat.ts';
import { type Installation, install } from '../installation.ts';

const DATA = '19:data00000000000000000000000000000@thread.tacv2';
const sql = 'select id, workspace, used, owner_email from usage where used >= 10000';
const message = '{{ owner_email | mention }} *{{ workspace }}* is at {{ used | number }} events.';

let fake: FakeTeams;
let bot: Installation;
let maya: Client;

beforeEach(async () => {
  fake = await startFakeTeams({ channels: [{ id: DATA, name: 'data-alerts', team: GENERAL }] });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  bot = await install({
    PORT: String(port),
    PUBLIC_URL: url,
    TEAMS_APP_ID: APP,
    TEAMS_TENANT_ID: TENANT,
    TEAMS_APP_PASSWORD: SECRET,
    TEAMS_LOGIN_URL: fake.loginUrl,
    TEAMS_OPENID_URL: fake.openIdUrl,
    TEAMS_SERVICE_URL: fake.serviceUrl,
    ACTIVATE_ADMINS: 'maya@example.com',
  });
  maya = clientOf(fake, url, MAYA);
  await bot.warehouse.query(
    'create table usage (id int primary key, workspace text not null, used int not null, owner_email text)',
  );
  await bot.warehouse.query("insert into usage values (1, 'Globex', 12000, 'maya@example.com')");
  await maya.event('conversationUpdate', added(), { channel: GENERAL });
  await fake.until(() => fake.http.to('GET /teams/v3/teams/:id/conversations').length > 0);
  await bot.connect({
    person: { kind: 'person', platform: 'teams', id: MAYA },
    conversation: { kind: 'conversation', platform: 'teams', id: DATA },
  });
});
afterEach(async () => {
  await bot.stop();
  await fake.close();
  expect(fake.violations).toEqual([]);
  fake.http.expectNoUnexpected();
});

const said = (conversation: string, text: string): Promise<Posted> =>
  fake.until(() => fake.messages(conversation).find((one) => textOf(cardOf(one)).includes(text)));
const shown = () => textOf(maya.dialog?.card);

it('keeps what was typed in the form, goes back a step in it, and answers in the thread', async () => {
  await maya.say(`new-alert title="Free tier used up"`, { channel: DATA, thread: '170' });
  const ready = await said(DATA, 'Press the button to fill in the form');
  expect(ready.onlyFor).toBeDefined();
  await maya.press(ready, 'Open form');

  await maya.submit({ sql });
  await maya.submit({ key: ['id'] });
  expect(maya.dialog?.title).toBe('What to say, and where');
  expect(shown()).toContain('Free tier used up');
  const [channel] = await maya.search('to', 'sales');
  expect(channel).toMatchObject({ title: '#sales · Northwind' });
  await maya.submit({ message, to: [channel!.value] });

  expect(maya.dialog?.title).toBe('Name and schedule');
  await maya.submit({ name: 'free-tier' }, '← Back');
  expect(maya.dialog?.title).toBe('What to say, and where');
  await maya.submit({});
  await maya.submit({ name: 'free-tier', schedule: 'every hour' });
  expect(maya.dialog?.title).toBe('Preview');
  expect(shown()).toContain('<at>Maya Ortiz</at> **Globex** is at 12,000 events.');
  await maya.submit({});

  expect(maya.dialog).toBeUndefined();
  expect((await said(DATA, 'free-tier is on')).thread).toBe('170');
});

it('opens the form straight from the menu, and gives a password a page of its own', async () => {
  await maya.action('new-alert', { channel: DATA });
  expect(maya.dialog?.title).toBe('What to watch');

  await maya.say('connect');
  const link = await said(directOf(MAYA), 'This asks for a password');
  const url = String(JSON.stringify(cardOf(link)).match(/"url":"([^"]+)"/)?.[1]);
  expect(await (await fetch(url)).text()).toContain('<form');
  expect(textOf(cardOf(link))).not.toContain('password"');
});
