import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  hasLocalSlack,
  type LocalMessage,
  type LocalSlack,
  startLocalSlack,
} from '../../support/local-slack.ts';
import { type Buyers, startBuyers } from '../buyers.ts';
import { type Installation, install } from '../installation.ts';

const PEOPLE = {
  users: [
    { id: 'U1ADA', name: 'Ada Park', email: 'ada@northwind.example' },
    { id: 'U2MIA', name: 'Mia Lopez', email: 'mia@northwind.example' },
    { id: 'U3TOM', name: 'Tom Becker', email: 'tom@northwind.example' },
  ],
  channels: [{ id: 'C1DATA', name: 'data-alerts' }],
};

const slackPerson = (id: string) => ({ kind: 'person', platform: 'slack', id }) as const;
const named = `An approval, end to end, in Slack${hasLocalSlack ? '' : ' (skipped: local-slack is not installed)'}`;

describe.runIf(hasLocalSlack)(named, () => {
  let slack: LocalSlack;
  let bot: Installation;
  let buyers: Buyers;
  beforeEach(async () => {
    slack = await startLocalSlack(PEOPLE);
    bot = await install({
      SLACK_API_URL: slack.apiUrl,
      SLACK_BOT_TOKEN: slack.tokens.bot,
      SLACK_APP_TOKEN: slack.tokens.app,
      ACTIVATE_ADMINS: 'ada@northwind.example',
      ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    });
    buyers = await startBuyers(bot);
    await bot.connect({
      person: slackPerson('U1ADA'),
      conversation: { kind: 'conversation', platform: 'slack', id: 'C1DATA' },
    });
    await buyers.role(slackPerson('U2MIA'), 'approver');
    await buyers.role(slackPerson('U3TOM'), 'editor');
    await buyers.add(1, 40);
  });
  afterEach(async () => {
    await bot.stop();
    await buyers.close();
    await slack.stop();
  });

  const said = (text: string, after = ''): Promise<LocalMessage> =>
    slack.until(async () =>
      (await slack.messages('C1DATA')).find(
        (one) => one.ts > after && JSON.stringify(one.blocks ?? one.text).includes(text),
      ),
    );
  const refusals = async (): Promise<readonly { person: string; outcome: string }[]> =>
    bot.running.app.db.query(
      `select person, outcome from audit where command = 'approve' and kind = 'refusal' order by id`,
    );

  it('is refused to whoever asked, to an editor and on edited buttons, approved by a button once, and reported', async () => {
    await buyers.audience(await buyers.caller(slackPerson('U1ADA'), 'C1DATA'), { others: true });
    const first = await said('Approve this run of spring-buyers?');
    expect(JSON.stringify(first.blocks)).toContain('Add 40 people to Spring buyers on ads.');
    expect(JSON.stringify(first.blocks)).not.toContain('buyer1@mail.example');

    // Planned anew by Mia, who is therefore not asked; the card before says what became of it.
    await slack.command('run spring-buyers anew=true', { user: 'U2MIA' });
    await said('Run of spring-buyers: superseded');
    const card = await said('Approve this run of spring-buyers?', first.ts);
    await slack.press(card, 'Approve', 'U2MIA');
    await slack.press(card, 'Approve', 'U3TOM');
    // A button of the card before, as a client might keep it; one whose plan was edited; one taken to another message.
    await slack.press(first, 'Approve', 'U1ADA');
    await slack.press(edited(card), 'Approve', 'U1ADA');
    await slack.press({ ...card, ts: first.ts }, 'Approve', 'U1ADA');
    const refused = await slack.until(async () => ((await refusals()).length >= 5 ? refusals() : undefined));
    expect(refused.map(({ person, outcome }) => `${person} ${outcome}`)).toEqual(
      expect.arrayContaining([
        'mia.lopez NOT_ALLOWED',
        'tom.becker refused',
        'ada.park OUTDATED',
        'ada.park NOT_ALLOWED',
      ]),
    );
    expect(buyers.members.size).toBe(0);

    await Promise.all([slack.press(card, 'Approve', 'U1ADA'), slack.press(card, 'Approve', 'U1ADA')]);
    const done = await slack.until(async () =>
      (await slack.messages('C1DATA')).find(
        ({ ts, blocks }) => ts === card.ts && JSON.stringify(blocks).includes('40 added to the list'),
      ),
    );
    expect(JSON.stringify(done.blocks)).toContain('Approved by ada.park');
    expect(JSON.stringify(done.blocks)).not.toContain('"Approve"');
    expect(buyers.members.size).toBe(40);
    const decisions = await bot.running.app.db.query(
      `select outcome from audit where kind = 'decision' and outcome = 'approved'`,
    );
    expect(decisions).toHaveLength(1);
    expect(await bot.running.app.services.audit.verify()).toMatchObject({ broken: undefined });
  });
});

/** The message with another plan in its buttons. */
function edited(message: LocalMessage): LocalMessage {
  return JSON.parse(
    JSON.stringify(message).replaceAll(/[0-9a-f]{12}(?=[\\"])/g, 'abcdefabcdef'),
  ) as LocalMessage;
}
