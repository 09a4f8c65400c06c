import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../platforms/chat.ts';
import {
  hasLocalSlack,
  type LocalMessage,
  type LocalSlack,
  startLocalSlack,
} from '../../support/local-slack.ts';
import { type Installation, install } from '../installation.ts';

const PEOPLE = {
  users: [
    { id: 'U1ADA', name: 'Ada Park', email: 'ada@northwind.example' },
    { id: 'U2MIA', name: 'Mia Lopez', email: 'mia@northwind.example' },
  ],
  channels: [
    { id: 'C1DATA', name: 'data-alerts' },
    { id: 'C2SALES', name: 'sales-pql' },
  ],
};

const origin = {
  person: { kind: 'person', platform: 'slack', id: 'U1ADA' },
  conversation: { kind: 'conversation', platform: 'slack', id: 'C1DATA' },
} as const;

const sql = 'select id, workspace, used, owner_email from usage where used >= 10000';
const message = '{{ owner_email | mention }} *{{ workspace }}* is at {{ used | number }} events.';

const named = `An alert, end to end, in Slack${hasLocalSlack ? '' : ' (skipped: local-slack is not installed)'}`;

describe.runIf(hasLocalSlack).each(['socket', 'http'] as const)(`${named}, over %s`, (mode) => {
  let slack: LocalSlack;
  let bot: Installation;
  beforeEach(async () => {
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    slack = await startLocalSlack(mode === 'http' ? { ...PEOPLE, requestUrl: `${address}/slack` } : PEOPLE);
    bot = await install({
      PORT: String(port),
      SLACK_API_URL: slack.apiUrl,
      SLACK_BOT_TOKEN: slack.tokens.bot,
      ACTIVATE_ADMINS: 'ada@northwind.example',
      ...(mode === 'http'
        ? { SLACK_SIGNING_SECRET: slack.tokens.secret, PUBLIC_URL: address }
        : { SLACK_APP_TOKEN: slack.tokens.app }),
    });
    await bot.warehouse.query(
      'create table usage (id int primary key, workspace text not null, used int not null, owner_email text)',
    );
    await bot.warehouse.query("insert into usage values (1, 'Globex', 12000, 'ada@northwind.example')");
    await bot.connect(origin);
  });
  afterEach(async () => {
    await bot.stop();
    await slack.stop();
  });

  /** The modal of this title, once it is on top; its text for comparing. */
  const modal = (title: string): Promise<string> =>
    slack.until(async () => {
      const top = (await slack.modals()).at(-1);
      return top?.title?.text === title ? JSON.stringify(top.blocks) : undefined;
    });
  const said = (channel: string, text: string): Promise<LocalMessage> =>
    slack.until(async () =>
      (await slack.messages(channel)).find((one) => JSON.stringify(one).includes(text)),
    );

  it('goes from a typed command to a card that somebody claims', async () => {
    await slack.command('new-alert');

    await modal('What to watch');
    expect(await slack.submit({ sql: 'delete from usage' })).toEqual({
      'f:sql': expect.stringMatching(/SELECT/),
    });
    expect(await slack.submit({ sql: 'select id, workspce from usage' })).toEqual({
      'f:sql': expect.stringMatching(/workspce.*workspace/s),
    });
    expect(await slack.submit({ sql })).toEqual({});

    const found = await modal('What was found');
    expect(found).toContain('*1 row*');
    expect(found).toContain('Globex');
    expect(await slack.submit({ key: [] })).toEqual({ 'f:key': 'Choose the column that tells rows apart.' });
    expect(await slack.submit()).toEqual({});

    await modal('What to say, and where');
    const to = ['slack:C2SALES'];
    expect(await slack.submit({ title: 'Free tier used up', message: '{{ workspac }}', to })).toEqual({
      'f:message': expect.stringContaining('Did you mean {{ workspace }}?'),
    });
    expect(await slack.submit({ title: 'Free tier used up', message, to: ['#nowhere'] })).toEqual({
      'f:to': expect.stringContaining('#nowhere'),
    });
    expect(await slack.submit({ title: 'Free tier used up', message, to })).toEqual({});

    await modal('Name and schedule');
    expect(await slack.submit({ schedule: 'now and then' })).toEqual({
      'f:schedule': expect.stringContaining('is not a schedule'),
    });
    expect(await slack.submit({ name: 'free-tier', schedule: 'every 1 second' })).toEqual({});

    const preview = await modal('Preview');
    expect(preview).toContain('Free tier used up');
    expect(preview).toContain('<@U1ADA> *Globex* is at 12,000 events.');
    expect(preview).toContain('*1 row matches now.*');
    expect(await slack.submit()).toEqual({});

    const created = await said('C1DATA', 'free-tier is on');
    expect(JSON.stringify(created.blocks)).toContain('#sales-pql');
    expect(await slack.modals()).toEqual([]);
    await bot.ranOnce('free-tier');
    await bot.warehouse.query("insert into usage values (2, 'Acme <b>', 10500, 'mia@northwind.example')");

    const card = await said('C2SALES', 'Acme');
    expect(JSON.stringify(card.blocks)).toContain('<@U2MIA> *Acme &lt;b&gt;* is at 10,500 events.');
    const speaking = await slack.until(async () => {
      const runs = await bot.running.app.services.runs.recent('free-tier', 100);
      return runs.find((run) => run.counts.messages === 1);
    });
    expect(speaking.cause).toBe('schedule');

    await slack.press(card, 'Claim', 'U2MIA');
    const claimed = await said('C2SALES', 'Claimed by');
    expect(claimed.ts).toBe(card.ts);
    expect(claimed.edited).toBeDefined();
    expect(JSON.stringify(claimed.blocks)).toContain('Claimed by *mia.lopez*');
    // The row that was there at the start was taken as known, and nothing was said twice.
    expect(await slack.messages('C2SALES')).toHaveLength(1);
    expect(await slack.messages('C1DATA')).toHaveLength(1);
  });
});
