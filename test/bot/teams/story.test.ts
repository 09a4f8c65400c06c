import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  APP,
  directOf,
  type FakeTeams,
  GENERAL,
  MAYA,
  type Posted,
  SALES,
  SAM,
  SECRET,
  startFakeTeams,
  TENANT,
} from '../../fakes/teams.ts';
import { textOf } from '../../fakes/teams-cards.ts';
import { added, type Client, cardOf, clientOf } from '../../fakes/teams-client.ts';
import { type Installation, install } from '../installation.ts';

const DATA = '19:data00000000000000000000000000000@thread.tacv2';
const sql = 'select id, workspace, used, owner_email from usage where used >= 10000';
const message = '{{ owner_email | mention }} *{{ workspace }}* is at {{ used | number }} events.';

let fake: FakeTeams;
let bot: Installation;
let maya: Client;
let sam: Client;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

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
  sam = clientOf(fake, url, SAM);
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

it('goes from a typed command to a card that somebody claims', async () => {
  await maya.say(`new-alert title="Free tier used up"`, { channel: DATA, thread: '170' });
  const ready = await said(DATA, 'Press the button to fill in the form');
  expect(ready.onlyFor).toBeDefined();
  await maya.press(ready, 'Open form');

  expect(maya.dialog?.title).toBe('What to watch');
  await maya.submit({ sql: 'delete from usage' });
  expect(shown()).toMatch(/⚠️ .*SELECT/);
  await maya.submit({ sql: 'select id, workspce from usage' });
  expect(shown()).toMatch(/⚠️ .*workspce.*workspace/s);
  expect(shown()).toContain('select id, workspce from usage');
  await maya.submit({ sql });

  expect(maya.dialog?.title).toBe('What was found');
  expect(shown()).toContain('Globex');
  await maya.submit({ key: [] });
  expect(shown()).toContain('Choose the column that tells rows apart.');
  await maya.submit({ key: ['id'] });

  expect(maya.dialog?.title).toBe('What to say, and where');
  expect(shown()).toContain('Free tier used up');
  const [channel] = await maya.search('to', 'sales');
  expect(channel).toMatchObject({ title: '#sales · Northwind' });
  await maya.submit({ message: '{{ workspac }}', to: [channel!.value] });
  expect(shown()).toContain('Did you mean {{ workspace }}?');
  await maya.submit({ message, to: [channel!.value] });

  expect(maya.dialog?.title).toBe('Name and schedule');
  await maya.submit({ schedule: 'now and then' });
  expect(shown()).toContain('is not a schedule');
  await maya.submit({ name: 'free-tier' }, '← Back');
  expect(maya.dialog?.title).toBe('What to say, and where');
  await maya.submit({});
  await maya.submit({ name: 'free-tier', schedule: 'every 1 second' });

  expect(maya.dialog?.title).toBe('Preview');
  expect(shown()).toContain('<at>Maya Ortiz</at> **Globex** is at 12,000 events.');
  expect(shown()).toContain('1 row');
  await maya.submit({});

  expect(maya.dialog).toBeUndefined();
  const created = await said(DATA, 'free-tier is on');
  expect(created.thread).toBe('170');
  expect(textOf(cardOf(created))).toContain('#sales');
  await bot.ranOnce('free-tier');
  await bot.warehouse.query("insert into usage values (2, 'Acme **<at>x</at>**', 10500, 'sam@example.com')");

  const card = await said(SALES, 'Acme');
  expect(card.thread).toBeUndefined();
  expect(textOf(cardOf(card))).toContain(
    '<at>Sam Reed</at> **Acme ∗∗<\u200Bat>x<\u200B/at>∗∗** is at 10,500 events.',
  );
  expect(cardOf(card)['msteams']).toMatchObject({ entities: [{ mentioned: { id: SAM, name: 'Sam Reed' } }] });
  expect(card.activity['summary']).toContain('Free tier used up');

  const answered = await sam.press(card, 'Claim');
  expect(textOf(answered.body?.['value'])).toContain('Claimed by');
  expect(card.edits).toBe(1);
  expect(textOf(cardOf(card))).toContain('Sam Reed');
  // The row that was there at the start was taken as known, and nothing was said twice.
  expect(fake.messages(SALES)).toHaveLength(1);
  expect(fake.messages(DATA).filter(({ onlyFor }) => onlyFor === undefined)).toHaveLength(1);
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
