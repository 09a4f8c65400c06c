import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reply } from '../../../engine/contracts/chat.ts';
import { APP, directOf, MAYA, SALES, SAM, TENANT, teamsId } from '../../fakes/teams.ts';
import { actionOf, textOf } from '../../fakes/teams-cards.ts';
import { type Client, cardOf, clientOf } from '../../fakes/teams-client.ts';
import { makeKey } from '../../fakes/teams-state.ts';
import { card, FORM, openStage, type TeamsStage } from './stage.ts';

/** A promise that the test settles: the answer of a database that hangs. */
function later<T>(): { readonly promise: Promise<T>; readonly settle: (value: T) => void } {
  let settle: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}

let stage: TeamsStage;
let maya: Client;
let sam: Client;

beforeEach(async () => {
  stage = await openStage({ config: { answerWithinMs: 300 } });
  maya = clientOf(stage.fake, stage.botUrl, MAYA);
  sam = clientOf(stage.fake, stage.botUrl, SAM);
});
afterEach(async () => {
  const { violations, http } = stage.fake;
  await stage.close();
  expect(violations).toEqual([]);
  http.expectNoUnexpected();
});

const sales = () => stage.fake.messages(SALES);
const direct = () => stage.fake.messages(directOf(MAYA));
const one = (list: () => ReturnType<typeof sales>) =>
  stage.fake.until(() => list().length > 0 && list().at(-1));

describe('a typed line', () => {
  it('is answered in the thread: to its writer unseen by others, and to everybody', async () => {
    stage.dispatch.answer = ({ command }) => ({
      kind: 'card',
      card: card(command),
      to: command === 'help' ? 'caller' : 'conversation',
    });

    await maya.say('help', { channel: SALES, thread: '170' });
    await maya.say('status&nbsp;a &lt; b', { channel: SALES, thread: '170' });

    const [help, status] = await stage.fake.until(() => sales().length === 2 && sales());
    expect([help?.onlyFor, status?.onlyFor]).toEqual([teamsId(MAYA), undefined]);
    expect(sales().map(({ thread }) => thread)).toEqual(['170', '170']);
    expect(stage.dispatch.asked[1]).toEqual({
      invocation: { command: 'status', input: { name: 'a < b' } },
      origin: {
        person: { kind: 'person', platform: 'teams', id: MAYA },
        conversation: { kind: 'conversation', platform: 'teams', id: SALES, thread: '170' },
      },
    });
  });

  it('is answered where it is in the personal chat, which is told to be unseen by others', async () => {
    stage.dispatch.answer = ({ command }) => ({ kind: 'card', card: card(command), to: 'caller' });

    await maya.say('/activate status');

    const message = await one(direct);
    expect(message.onlyFor).toBeUndefined();
    expect(message.activity['summary']).toBe('/activate');
    expect(stage.dispatch.asked[0]?.origin.direct).toBe(true);
  });

  it('goes to the personal chat where nobody can be told something unseen', async () => {
    stage.fake.state.targeted = false;
    stage.dispatch.answer = () => ({ kind: 'card', card: card('help'), to: 'caller' });

    await maya.say('help', { channel: SALES, thread: '170' });

    expect((await one(direct)).activity['summary']).toBe('help');
    expect(sales()).toEqual([]);
  });

  it('that asks for a form is answered with the one button that opens it, and what was typed is filled in', async () => {
    stage.dispatch.answer = ({ input }) => ({ kind: 'form', form: { ...FORM, initial: input } });

    await maya.say('new-alert Big deals', { channel: SALES, thread: '170' });
    const message = await one(sales);
    await maya.press(message, 'Open form');

    expect(textOf(cardOf(message))).toContain('Big deals');
    expect(maya.dialog?.title).toBe('New alert');
    expect(textOf(maya.dialog?.card)).toContain('Big deals');
    expect(stage.dispatch.asked.at(-1)?.invocation.input).toEqual({ name: 'Big deals', draft: '7' });
  });

  it('runs once however often it is delivered, to whichever process', async () => {
    const other = await stage.another();
    const elsewhere = clientOf(stage.fake, other, MAYA);
    stage.dispatch.answer = () => ({ kind: 'card', card: card('once'), to: 'conversation' });
    const activity = maya.activity('message', {}, { text: 'status' });

    await Promise.all([maya.send(activity), maya.send(activity), elsewhere.send(activity)]);
    await maya.send(activity);
    await one(direct);

    expect(stage.dispatch.asked).toHaveLength(1);
    expect(direct()).toHaveLength(1);
  });

  it('says what failed on the way to everybody, to who asked', async () => {
    stage.fake.state.closed.add(SALES);
    stage.dispatch.answer = () => ({ kind: 'card', card: card('status'), to: 'conversation' });

    await maya.say('status', { channel: SALES, thread: '170' });

    expect(textOf(cardOf(await one(direct)))).toContain("The bot isn't in this team or chat");
  });
});

describe('a button', () => {
  it('edits its message for everybody, and shows it to who pressed it at once', async () => {
    stage.dispatch.answer = ({ command }) =>
      command === 'claim'
        ? { kind: 'card', card: card('Claimed'), to: 'pressed' }
        : { kind: 'card', card: card('New'), to: 'conversation' };
    await maya.say('all', { channel: SALES, thread: '170' });
    const message = await one(sales);

    const answered = await sam.press(message, 'Claim');

    expect(answered.body).toMatchObject({
      statusCode: 200,
      type: 'application/vnd.microsoft.card.adaptive',
    });
    expect(textOf(answered.body?.['value'])).toContain('Claimed');
    expect(message.edits).toBe(1);
    expect(textOf(cardOf(message))).toContain('Claimed');
    expect(stage.dispatch.asked.at(-1)).toMatchObject({
      invocation: { command: 'claim', input: { id: '7' } },
      origin: { person: { id: SAM }, message: { id: message.id } },
    });
  });

  it('works in a client that sends the press as a message', async () => {
    stage.dispatch.answer = ({ command }) =>
      command === 'claim'
        ? { kind: 'card', card: card('Claimed'), to: 'pressed' }
        : { kind: 'card', card: card('New'), to: 'conversation' };
    await maya.say('all');
    const message = await one(direct);
    const { data } = actionOf(cardOf(message), 'Claim')['fallback'] as { data: object };

    await maya.event('message', { value: data, replyToId: message.id });

    await stage.fake.until(() => message.edits === 1);
    expect(textOf(cardOf(message))).toContain('Claimed');
  });

  it('replaces a message that only its reader sees', async () => {
    stage.dispatch.answer = ({ command }) => ({
      kind: 'card',
      card: card(command === 'claim' ? 'Claimed' : 'Yours'),
      to: command === 'claim' ? 'pressed' : 'caller',
    });
    await maya.say('mine', { channel: SALES, thread: '170' });
    const message = await one(sales);

    await maya.press(message, 'Claim');

    expect([message.onlyFor, message.edits]).toEqual([teamsId(MAYA), 1]);
  });

  it('that ends in a note or in an answer for one person says so under the card', async () => {
    stage.dispatch.answer = ({ command }) =>
      command === 'mute'
        ? { kind: 'done', note: 'Quiet for a day.' }
        : {
            kind: 'card',
            card: card('x', 'mute', 'details'),
            to: command === 'all' ? 'conversation' : 'caller',
          };
    await maya.say('all', { channel: SALES, thread: '170' });
    const message = await one(sales);

    const note = await maya.press(message, 'Mute');
    const details = await maya.press(message, 'Details');

    expect(note.body?.['value']).toBe('Quiet for a day.');
    expect(details.body?.['value']).toBe('Only you see the answer.');
    expect(sales().at(-1)?.onlyFor).toBe(teamsId(MAYA));
  });

  it('is shown to those alone who may press it', async () => {
    stage.dispatch.answer = () => ({
      kind: 'card',
      card: card('Held', 'claim', 'approve'),
      to: 'conversation',
    });
    await maya.say('all', { channel: SALES, thread: '170' });
    const message = await one(sales);

    const [hers, his] = [await maya.look(message), await sam.look(message)];

    expect(actionOf(hers, 'Approve')['verb']).toBe('run');
    expect(() => actionOf(his, 'Approve')).toThrow('only: Claim');
    expect(actionOf(his, 'Claim')['verb']).toBe('run');
  });

  it('that takes too long is answered in time, and then by message', async () => {
    const slow = later<Reply>();
    stage.dispatch.answer = ({ command }) =>
      command === 'claim' ? slow.promise : { kind: 'card', card: card('New'), to: 'conversation' };
    await maya.say('all', { channel: SALES, thread: '170' });
    const message = await one(sales);

    const answered = await maya.press(message, 'Claim');
    slow.settle({ kind: 'card', card: card('Claimed'), to: 'pressed' });

    expect(answered.body?.['value']).toContain('Working on it');
    await stage.fake.until(() => message.edits === 1);
  });

  it('of somebody else is read and not believed', async () => {
    const answered = await maya.event('invoke', {
      name: 'adaptiveCard/action',
      value: { action: { verb: 'run', data: { run: { command: 7 } } } },
    });

    expect(answered.body?.['value']).toContain('older version');
    expect(stage.dispatch.asked).toEqual([]);
  });
});

describe('a dialog', () => {
  const open = async (where = {}) => {
    stage.dispatch.answer = ({ command }) =>
      command === 'all'
        ? { kind: 'card', card: card('New', 'new-alert'), to: 'conversation' }
        : { kind: 'form', form: FORM };
    await maya.say('all', where);
    const message = await one('channel' in where ? sales : direct);
    await maya.press(message, 'New-alert');
    return message;
  };

  it('opens at a press, shows errors at their fields with what was typed, goes on and back', async () => {
    await open();
    stage.dispatch.answer = ({ input }) =>
      input['name'] === 'taken'
        ? { kind: 'form', form: { ...FORM, initial: input, errors: { name: 'Taken.', '': 'Look again.' } } }
        : { kind: 'form', form: { ...FORM, title: `Step ${input['back'] ?? input['name']}` } };

    await maya.submit({ name: 'taken', source: 's1', keys: ['a%2Cb', 'c'] });
    expect(textOf(maya.dialog?.card)).toMatch(/Look again\.[\s\S]*Name: Taken\.[\s\S]*taken/);
    expect(stage.dispatch.asked.at(-1)?.invocation).toEqual({
      command: 'new-alert',
      input: { draft: '7', name: 'taken', source: 's1', keys: '["a,b","c"]' },
    });
    await maya.submit({ name: 'good' });
    expect(maya.dialog?.title).toBe('Step good');
    await maya.submit({ name: 'kept' }, '← Back');

    expect(maya.dialog?.title).toBe('Step true');
    expect(stage.dispatch.asked.at(-1)?.invocation.input).toMatchObject({
      name: 'kept',
      step: '1',
      back: 'true',
    });
  });

  it('closes when the answer is for everybody, and shows what is for the caller', async () => {
    await open({ channel: SALES, thread: '170' });
    stage.dispatch.answer = ({ input }) =>
      input['name'] === 'all'
        ? { kind: 'card', card: card('Created'), to: 'conversation' }
        : { kind: 'card', card: card('Not allowed', 'retry'), to: 'caller' };

    await maya.submit({ name: 'mine' });
    expect(maya.dialog?.title).toBe('Not allowed');
    expect(actionOf(maya.dialog?.card, 'Retry')['type']).toBe('Action.Submit');
    await maya.submit({}, 'Retry');
    expect(stage.dispatch.asked.at(-1)?.invocation).toEqual({ command: 'retry', input: { id: '7' } });

    stage.dispatch.answer = () => ({ kind: 'card', card: card('Created'), to: 'conversation' });
    await maya.submit({}, 'Retry');
    expect(maya.dialog).toBeUndefined();
    expect(sales().at(-1)).toMatchObject({ thread: '170', activity: { summary: 'Created' } });
  });

  it('says that the answer comes later, and it does', async () => {
    await open();
    const slow = later<Reply>();
    stage.dispatch.answer = () => slow.promise;

    await maya.submit({ name: 'x' });
    expect(textOf(maya.dialog?.card)).toContain('the answer comes as a message');
    slow.settle({ kind: 'form', form: FORM });

    await stage.fake.until(() => direct().length === 2);
    expect(actionOf(cardOf(direct().at(-1)!), 'Open form')['data']).toMatchObject({
      msteams: { type: 'task/fetch' },
      run: { input: { draft: '7', name: 'x' } },
    });
  });

  it('gives choices while somebody types, with what the form holds', async () => {
    await open();
    stage.dispatch.choices = async (typed, input) =>
      Array.from({ length: 20 }, (_, at) => ({
        value: `${typed},${at}`,
        label: `${typed} of ${input['draft']} ${input['name']}`,
      }));

    const found = await maya.search('source', 'prod', { f_name: 'n' });
    const many = await maya.search('keys', 'id');

    expect(found).toHaveLength(15);
    expect(found[0]).toEqual({ title: 'prod of 7 n', value: 'prod,0' });
    expect(many[0]?.value).toBe('id%2C0');
  });

  it('opens straight from the menu of commands, also in a chat that the bot is not in', async () => {
    stage.dispatch.answer = ({ input }) =>
      input['name'] === undefined
        ? { kind: 'form', form: FORM }
        : { kind: 'card', card: card('Created'), to: 'conversation' };
    stage.fake.state.closed.add(directOf(MAYA));

    await maya.action('new-alert', {});
    expect(stage.dispatch.asked[0]).toMatchObject({ invocation: { command: 'new-alert', input: {} } });
    expect(stage.dispatch.asked[0]?.origin.direct).toBeUndefined();
    await maya.submit({ name: 'x' });

    expect(textOf(maya.dialog?.card)).toMatch(
      /I am not in this chat[\s\S]*Created|Created[\s\S]*I am not in this chat/,
    );
    const rows = await stage.store.db.query("select id from teams_conversations where kind = 'personal'");
    expect(rows).toEqual([]);
  });
});

describe('a file', () => {
  const csv = { name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('a,b\n1,2\n') };

  it('is offered in the personal chat, and handed over on consent', async () => {
    stage.dispatch.answer = () => ({ kind: 'card', card: card('Export'), to: 'caller', files: [csv] });

    await maya.say('export', { channel: SALES, thread: '170' });
    const offer = await one(direct);
    await maya.consent(offer, 'accept');

    await stage.fake.until(() => direct().length === 2);
    expect(stage.fake.state.uploads).toMatchObject([{ range: 'bytes 0-7/8', body: csv.bytes }]);
    expect(offer.deleted).toBe(true);
    expect(JSON.stringify(direct().at(-1)?.activity)).toContain('card.file.info');
    await maya.consent(offer, 'accept');
    await stage.fake.until(() => direct().length === 3);
    expect(textOf(cardOf(direct().at(-1)!))).toContain('could not be handed over');
  });

  it('is dropped when it is declined', async () => {
    stage.dispatch.answer = () => ({ kind: 'card', card: card('Export'), to: 'caller', files: [csv] });
    await maya.say('export');
    const offer = await stage.fake.until(() => direct().length === 2 && direct().at(-1));

    await maya.consent(offer, 'decline');

    await stage.fake.until(() => offer.deleted);
    expect(await stage.store.db.query('select 1 from teams_files')).toEqual([]);
  });

  it('is a link in a channel, to a page that hands it out at a press', async () => {
    stage.dispatch.answer = () => ({ kind: 'card', card: card('Digest'), to: 'conversation', files: [csv] });

    await maya.say('digest', { channel: SALES, thread: '170' });
    const message = await one(sales);
    const url = String(actionOf(cardOf(message), '⬇ rows.csv (1 KB)')['url']);
    const page = await fetch(url);
    const file = await fetch(url, { method: 'POST' });
    const wrong = await fetch(url.replace(/.$/, '_'), { method: 'POST' });

    expect(await page.text()).toContain('<button>Download</button>');
    expect(file.headers.get('content-disposition')).toBe('attachment; filename=rows.csv');
    expect(Buffer.from(await file.arrayBuffer())).toEqual(csv.bytes);
    expect(wrong.status).toBe(410);
  });
});

describe('a request', () => {
  const activity = () => maya.activity('message', {}, { text: 'status' });

  it.each([
    ['without a token', () => ''],
    ['with nonsense', () => 'a.b.c'],
    ['signed by somebody else', () => stage.fake.token({}, makeKey('key-1'))],
    ['signed by an unknown key', () => stage.fake.token({}, makeKey('key-9'))],
    ['of another issuer', () => stage.fake.token({ iss: `https://sts.windows.net/${TENANT}/` })],
    ['for another bot', () => stage.fake.token({ aud: TENANT })],
    ['for another service', () => stage.fake.token({ serviceurl: 'https://evil.example/' })],
    ['that is over', () => stage.fake.token({ exp: Math.floor(Date.now() / 1000) - 600 })],
    ['that is not valid yet', () => stage.fake.token({ nbf: Math.floor(Date.now() / 1000) + 3600 })],
  ])('%s is refused', async (_, token) => {
    const answered = await maya.send(activity(), token());

    expect(answered.status).toBe(401);
    expect(stage.dispatch.asked).toEqual([]);
  });

  it.each([
    ['from another tenant', { channelData: { tenant: { id: APP } } }],
    ['from no tenant', { channelData: {}, conversation: { id: 'a:1', conversationType: 'personal' } }],
    ['from another channel', { channelId: 'emulator' }],
    ['from the channel that the SDK trusts otherwise', { channelId: 'AseChannel' }],
    ['without a service', { serviceUrl: '' }],
  ])('%s is refused', async (_, over) => {
    const answered = await maya.send({ ...activity(), ...over });

    expect(answered.status).toBe(401);
    expect(stage.dispatch.asked).toEqual([]);
  });

  it('that is no activity, or too large, or of an unknown kind is none for us', async () => {
    expect((await maya.send({ hello: 'there' })).status).toBe(400);
    expect((await maya.send({ ...activity(), text: 'x'.repeat(1_100_000) })).status).toBe(413);
    expect((await maya.event('invoke', { name: 'signin/verifyState', value: {} })).status).toBe(501);
    expect((await maya.event('messageReaction', {})).status).toBe(200);
  });

  it('finds nobody there when the app id is empty', async () => {
    const open = await openStage({ config: { appId: '' } });
    const answered = await clientOf(open.fake, open.botUrl, MAYA).send(
      activity(),
      open.fake.token({ aud: '', serviceurl: stage.fake.serviceUrl }),
    );
    await open.close();

    expect(answered.status).toBe(401);
    expect(open.dispatch.asked).toEqual([]);
  });

  it('of somebody who added the app is greeted with what it can do', async () => {
    stage.dispatch.answer = ({ command }) => ({ kind: 'card', card: card(command), to: 'caller' });

    await maya.event('installationUpdate', { action: 'add' });

    expect((await one(direct)).activity['summary']).toBe('home');
  });
});
