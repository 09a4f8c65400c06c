import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  actionsOf,
  type FakeMattermost,
  type FakePost,
  GENERAL,
  type Json,
  MAYA,
  SALES,
  SAM,
  startFakeMattermost,
  TOKEN,
  textOf,
  VERSIONS,
} from '../../fakes/mattermost.ts';
import { type Installation, install } from '../installation.ts';

const origin = {
  person: { kind: 'person', platform: 'mattermost', id: MAYA },
  conversation: { kind: 'conversation', platform: 'mattermost', id: GENERAL },
} as const;

const sql = 'select id, workspace, used, owner_email from usage where used >= 10000';
const message = '{{ owner_email | mention }} *{{ workspace }}* is at {{ used | number }} events.';

describe.each(VERSIONS)('an alert, end to end, in Mattermost %s', (version) => {
  const old = version.startsWith('6.');
  let fake: FakeMattermost;
  let bot: Installation;
  beforeEach(async () => {
    fake = await startFakeMattermost({ version });
    bot = await install({
      MATTERMOST_URL: fake.url,
      MATTERMOST_TOKEN: TOKEN,
      PUBLIC_URL: 'https://bot.example',
      ACTIVATE_ADMINS: 'maya@example.com',
    });
    fake.behind = bot.running.url ?? '';
    await bot.warehouse.query(
      'create table usage (id int primary key, workspace text not null, used int not null, owner_email text)',
    );
    await bot.warehouse.query("insert into usage values (1, 'Globex', 12000, 'maya@example.com')");
    await bot.connect(origin);
  });
  afterEach(async () => {
    await bot.stop();
    await fake.close();
  });

  /** Submits the dialog; on an old server the next one is opened by a press. Answers with the errors at its fields. */
  async function submit(values: Json): Promise<Json> {
    const said = await fake.submit(values);
    const errors = {
      ...((said['errors'] ?? {}) as Json),
      ...(said['error'] === undefined ? {} : { '': said['error'] }),
    };
    if (old && Object.keys(errors).length === 0) {
      const next = [...fake.posts(GENERAL), ...fake.direct(MAYA)]
        .sort((a, b) => a.create_at - b.create_at)
        .findLast((post) => actionsOf(post).some(({ name }) => name === 'Next'));
      if (next !== undefined && fake.dialog() === undefined && !pressed.has(next.id)) {
        pressed.add(next.id);
        await fake.press(next, 'Next');
      }
    }
    return errors;
  }
  const pressed = new Set<string>();
  const shown = (): Json => fake.dialog()?.dialog ?? {};
  const intro = (): string => String(shown()['introduction_text']);
  const said = (channel: string, text: string): Promise<FakePost> =>
    fake.until(() => fake.posts(channel).find((post) => textOf(post).includes(text)));

  it('goes from a typed command to a card that somebody claims', async () => {
    await fake.command('new-alert', { channel: GENERAL });

    expect(shown()).toMatchObject({ title: 'What to watch' });
    expect(await submit({ sql: 'delete from usage' })).toEqual({ sql: expect.stringMatching(/SELECT/) });
    expect(await submit({ sql: 'select id, workspce from usage' })).toEqual({
      sql: expect.stringMatching(/workspce.*workspace/s),
    });
    expect(await submit({ sql })).toEqual({});

    expect(shown()).toMatchObject({ title: 'What was found' });
    expect(intro()).toContain('**1 row**');
    expect(intro()).toContain('Globex');
    expect(await submit({ key: old ? '' : [] })).toEqual({ key: 'Choose the column that tells rows apart.' });
    expect(await submit({ key: old ? 'id' : ['id'] })).toEqual({});

    expect(shown()).toMatchObject({ title: 'What to say, and where' });
    const to = old ? '#sales' : [`mattermost:${SALES}`];
    expect(await submit({ title: 'Free tier used up', message: '{{ workspac }}', to })).toEqual({
      message: expect.stringContaining('Did you mean {{ workspace }}?'),
    });
    expect(
      await submit({ title: 'Free tier used up', message, to: old ? '#nowhere' : ['#nowhere'] }),
    ).toEqual({
      to: expect.stringContaining('#nowhere'),
    });
    expect(await submit({ title: 'Free tier used up', message, to })).toEqual({});

    expect(shown()).toMatchObject({ title: 'Name and schedule' });
    expect(await submit({ name: 'free-tier', schedule: 'now and then' })).toEqual({
      schedule: expect.stringContaining('is not a schedule'),
    });
    expect(await submit({ name: 'free-tier', schedule: 'every 1 second' })).toEqual({});

    expect(shown()).toMatchObject({ title: 'Preview' });
    expect(intro()).toContain('Free tier used up');
    expect(intro()).toContain('@maya.ortiz **Globex** is at 12,000 events.');
    expect(intro()).toContain('**1 row matches now.**');
    expect(await submit({})).toEqual({});

    const created = await said(GENERAL, 'free-tier is on');
    expect(textOf(created)).toContain('#\u200Bsales');
    expect(fake.dialog()).toBeUndefined();
    await bot.ranOnce('free-tier');
    await bot.warehouse.query("insert into usage values (2, 'Acme @all', 10500, 'sam@example.com')");

    const card = await said(SALES, 'Acme');
    expect(card.message).toContain('@sam **Acme @\u200Ball** is at 10,500 events.');

    await fake.press(card, 'Claim', { user: SAM });
    const claimed = await said(SALES, 'Claimed by');
    expect(claimed.id).toBe(card.id);
    expect(claimed.edit_at).toBeGreaterThan(0);
    expect(textOf(claimed)).toContain('Claimed by **Sam**');
    // The row that was there at the start was taken as known, and nothing was said twice.
    expect(fake.posts(SALES)).toHaveLength(1);

    // The server takes a message, and then the connection is lost: it is found, and not said again.
    fake.fail('POST /posts', { kind: 'reset-after' });
    await bot.warehouse.query("insert into usage values (3, 'Initech', 11000, 'sam@example.com')");
    await said(SALES, 'Initech');
    const looked = fake.calls('GET /channels/*/posts');
    await fake.until(() => fake.calls('GET /channels/*/posts') > looked);
    await bot.warehouse.query("insert into usage values (4, 'Hooli', 11500, 'sam@example.com')");
    await said(SALES, 'Hooli');
    expect(fake.posts(SALES).filter((post) => textOf(post).includes('Initech'))).toHaveLength(1);
    expect(fake.violations).toEqual([]);
  });
});
