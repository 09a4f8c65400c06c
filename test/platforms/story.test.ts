import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Buyers, startBuyers } from '../bot/buyers.ts';
import { type Installation, install } from '../bot/installation.ts';
import { VERSIONS } from '../fakes/mattermost.ts';
import { type Chat, type Room, type Seen, type Shown, until, type Who } from './chat.ts';
import { localChat } from './local.ts';
import { mattermostChat } from './mattermost.ts';
import { slackChat } from './slack.ts';
import { teamsChat } from './teams.ts';

const platforms: readonly (readonly [string, () => Promise<Chat>])[] = [
  ['Slack', () => slackChat()],
  ['Microsoft Teams', teamsChat],
  ...VERSIONS.map((version) => [`Mattermost ${version}`, () => mattermostChat(version)] as const),
  ['the local chat', async () => localChat()],
];

const sql = 'select id, workspace, used, owner_email from usage where used >= 10000';
const message = '{{ owner_email | mention }} *{{ workspace }}* is at {{ used | number }} events.';
const hostile = 'Acme <b>x</b> <!channel> <at>Tom Becker</at> @all @tom.becker [x](http://x.example)';

describe.each(platforms)('the same story in %s', (_name, open) => {
  let chat: Chat;
  let bot: Installation;
  let buyers: Buyers;
  beforeEach(async () => {
    chat = await open();
    bot = await install({
      ...chat.env,
      ACTIVATE_ADMINS: 'ada@northwind.example',
      ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    });
    await chat.begin(bot);
    buyers = await startBuyers(bot);
    await bot.warehouse.query(
      'create table usage (id int primary key, workspace text not null, used int not null, owner_email text)',
    );
    await bot.connect({ person: chat.person('ada'), conversation: chat.room('data') });
    await buyers.role(chat.person('mia'), 'approver');
    await buyers.role(chat.person('tom'), 'editor');
  });
  afterEach(async () => {
    await bot.stop();
    await buyers.close();
    await chat.close();
    expect(chat.violations).toEqual([]);
  });

  /** The dialog of this title, once it is in front of somebody. */
  const dialog = (title: string, by: Who = 'ada'): Promise<Shown> =>
    until(`a dialog "${title}"`, async () => {
      const shown = await chat.dialog(by);
      return shown?.title === title ? shown : undefined;
    });
  const said = (where: Room | 'direct', text: string, as: Who = 'ada'): Promise<Seen> =>
    until(`"${text}" in ${where}`, async () =>
      (await chat.messages(where, as)).find((one) => one.text.includes(text)),
    );
  /** The newest message of this text that somebody can see, wherever it came. */
  const told = (text: string, as: Who = 'ada'): Promise<Seen> =>
    until(`"${text}" for ${as}`, async () => {
      const places = await Promise.all(
        (['data', 'sales', 'direct'] as const).map((where) => chat.messages(where, as)),
      );
      return places.flat().findLast((one) => one.text.includes(text));
    });

  it('an alert: made with mistakes on the way, previewed, said, claimed; broken once and mended once', async () => {
    await bot.warehouse.query("insert into usage values (1, 'Globex', 12000, 'ada@northwind.example')");
    await chat.type('new-alert', 'ada', 'data');

    await dialog('What to watch');
    expect(await chat.submit({ sql: 'delete from usage' }, 'ada')).toEqual({
      sql: expect.stringMatching(/SELECT/),
    });
    expect(await chat.submit({ sql: 'select id, workspce from usage' }, 'ada')).toEqual({
      sql: expect.stringMatching(/workspce.*workspace/s),
    });
    expect(await chat.submit({ sql }, 'ada')).toEqual({});

    const found = await dialog('What was found');
    expect(found.text).toContain('1 row');
    expect(found.text).toContain('Globex');
    expect(await chat.submit({ key: [] }, 'ada')).toEqual({
      key: 'Choose the column that tells rows apart.',
    });
    expect(await chat.submit({ key: ['id'] }, 'ada')).toEqual({});

    await dialog('What to say, and where');
    const to = [await chat.choose('to', '#sales-pql', 'ada')];
    const title = 'Free tier used up';
    expect(await chat.submit({ title, message: '{{ workspac }}', to }, 'ada')).toEqual({
      message: expect.stringContaining('Did you mean {{ workspace }}?'),
    });
    expect(await chat.submit({ title, message, to: ['#nowhere'] }, 'ada')).toEqual({
      to: expect.stringContaining('#nowhere'),
    });
    expect(await chat.submit({ title, message, to }, 'ada')).toEqual({});

    await dialog('Name and schedule');
    expect(await chat.submit({ name: 'free-tier', schedule: 'now and then' }, 'ada')).toEqual({
      schedule: expect.stringContaining('is not a schedule'),
    });
    expect(await chat.submit({ name: 'free-tier', schedule: 'every 1 second' }, 'ada')).toEqual({});

    const preview = await dialog('Preview');
    expect(preview.text).toContain(title);
    expect(preview.text).toContain('@Ada Park Globex is at 12,000 events.');
    expect(preview.text).toContain('1 row matches now.');
    expect(await chat.submit({}, 'ada')).toEqual({});

    const created = await said('data', 'free-tier is on');
    expect(created.text).toContain('#sales-pql');
    await bot.ranOnce('free-tier');
    await bot.warehouse.query("insert into usage values (2, $1, 10500, 'mia@northwind.example')", [hostile]);

    // Whoever the row belongs to is tagged, and nobody whom its words would like to tag.
    const card = await said('sales', 'is at 10,500 events.', 'mia');
    expect(card).toMatchObject({ mentions: ['mia'], edited: false, alone: false });
    expect(card.text).toContain('@Mia Lopez Acme <b>x</b>');
    expect(card.buttons).toContain('Claim');
    await chat.press(card, 'Claim', 'mia');
    const claimed = await said('sales', 'Claimed by Mia Lopez', 'mia');
    expect(claimed).toMatchObject({ id: card.id, edited: true });
    // The row that was there at the start was taken as known, and nothing was said twice.
    expect(await chat.messages('sales', 'ada')).toHaveLength(1);

    await bot.warehouse.query('alter table usage rename column used to consumed');
    const broken = await said('data', 'free-tier has a problem');
    expect(broken.text).toContain('used');
    await until('it fails again', async () => (await runs('failed')) >= 3);
    expect((await chat.messages('data', 'ada')).filter(about('free-tier has a problem'))).toHaveLength(1);
    await bot.warehouse.query('alter table usage rename column consumed to used');
    await until('the card says that it works again', async () =>
      (await chat.messages('data', 'ada')).some(
        ({ id, text, edited }) => id === broken.id && edited && text.includes('free-tier works again'),
      ),
    );
    expect((await chat.messages('data', 'ada')).filter(about('has a problem'))).toEqual([]);

    await chat.type('history free-tier', 'ada', 'data');
    expect((await told('History of free-tier')).text).toContain('failed');
    const picture = await until('a chart', async () =>
      (await chat.files('ada')).find(({ bytes }) => bytes.toString('latin1', 1, 4) === 'PNG'),
    );
    expect(picture.bytes.length).toBeGreaterThan(1000);
  });

  const runs = async (state: string): Promise<number> =>
    (await bot.running.app.services.runs.recent('free-tier', 200)).filter((run) => run.state === state)
      .length;
  const about =
    (text: string) =>
    (one: Seen): boolean =>
      one.text.includes(text);

  it('an audience: held, looked at, refused to whoever may not, approved, reported; then rejected with a reason', async () => {
    await buyers.add(1, 39);
    await bot.warehouse.query("insert into buyers values (40, 'refuse.me@mail.example', 'Una', 'Paris')");
    await buyers.audience({
      ...(await buyers.caller(chat.person('ada'), chat.room('data').id)),
    });
    const card = await said('data', 'Approve this run of spring-buyers?', 'mia');
    expect(card.text).toContain('Add 40 people to Spring buyers on ads.');
    // What is in the rows is nobody's business in a channel.
    expect(card.text).not.toContain('buyer1@mail.example');
    expect(buyers.members.size).toBe(0);

    await chat.press(card, 'Show sample', 'mia');
    expect((await dialog('Rows of the plan', 'mia')).text).toContain('30 of 40 changes:');

    await chat.press(card, 'Approve', 'tom');
    const heard = await chat.forge(card, 'Approve', 'mia');
    await until('refusals are written down', async () => (await refusals()).length >= (heard ? 2 : 1));
    expect(await refusals()).toContainEqual({ person: 'Tom Becker', outcome: 'refused' });
    expect(buyers.members.size).toBe(0);
    expect(await decisions()).toEqual([]);

    await Promise.all([chat.press(card, 'Approve', 'mia'), chat.press(card, 'Approve', 'mia')]);
    const done = await until('the card tells of the delivery', async () =>
      (await chat.messages('data', 'mia')).find(
        ({ id, text }) => id === card.id && text.includes('39 added to the list'),
      ),
    );
    expect(done.text).toContain('Approved by Mia Lopez');
    expect(done.buttons).not.toContain('Approve');
    expect(buyers.members.size).toBe(39);
    expect(await decisions()).toEqual(['approved']);

    const problem = await said('data', 'spring-buyers has a problem');
    expect(problem.text).toMatch(/Row .?40.?: Not this one\./);
    await chat.press(problem, 'Errors as CSV', 'ada');
    const csv = await until('the refused rows as a file', async () =>
      (await chat.files('ada')).find(({ name }) => name.endsWith('spring-buyers-errors.csv')),
    );
    expect(csv.bytes.toString()).toMatch(/^key,reason,field,operation.*\r\n.*"Not this one\.".*\r\n$/s);

    await bot.warehouse.query('delete from buyers where id > 25');
    await chat.type('run spring-buyers', 'tom', 'data');
    const second = await said('data', 'people would leave', 'mia');
    await chat.press(second, 'Reject', 'mia');
    await dialog('Reject', 'mia');
    expect(await chat.submit({}, 'mia')).toEqual({ reason: expect.any(String) });
    expect(await chat.submit({ reason: 'Paris is missing.', next: 'pause' }, 'mia')).toEqual({});
    await until('the card tells of the rejection', async () =>
      (await chat.messages('data', 'mia')).some(
        ({ id, text, buttons }) =>
          id === second.id && text.includes('Paris is missing.') && !buttons.includes('Approve'),
      ),
    );
    expect(buyers.members.size).toBe(39);
    expect((await bot.running.app.services.syncs.show('spring-buyers')).sync.state).toBe('paused');
    // Whoever asked for it is told.
    expect((await said('direct', 'Paris is missing.', 'tom')).text).toContain('You asked for it.');
    expect(await bot.running.app.services.audit.verify()).toMatchObject({ broken: undefined });
  });

  const refusals = async (): Promise<readonly { person: string; outcome: string }[]> =>
    bot.running.app.db.query(
      `select person, outcome from audit where command = 'approve' and kind = 'refusal' order by id`,
    );
  const decisions = async (): Promise<readonly string[]> =>
    (
      await bot.running.app.db.query<{ outcome: string }>(
        `select outcome from audit where kind = 'decision' order by id`,
      )
    ).map(({ outcome }) => outcome);
});
