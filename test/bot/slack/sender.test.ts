import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createSlack } from '../../../bot/slack/platform.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { Sender } from '../../../engine/contracts/chat.ts';
import type { ErrorCode } from '../../../engine/contracts/errors.ts';
import type { ConversationRef, PersonRef } from '../../../engine/contracts/refs.ts';
import { type FakeSlack, type Fault, startFakeSlack, TOKENS } from '../../fakes/slack.ts';
import { silentLog } from '../../support/log.ts';

const CARD: Card = {
  title: 'New account: Acme',
  blocks: [{ type: 'text', text: ['Five seats.'] }],
  fallback: 'Acme',
};
const SALES: ConversationRef = { kind: 'conversation', platform: 'slack', id: 'C0SALES' };
const MAYA: PersonRef = { kind: 'person', platform: 'slack', id: 'U0MAYA' };

let fake: FakeSlack;
let slack: Sender;
let clock: number;

beforeAll(async () => {
  fake = await startFakeSlack({
    users: [{ id: 'U0GONE', name: 'Gone', email: 'gone@example.com', deleted: true }],
    channels: [
      { id: 'C0OLD', name: 'old-sales', archived: true },
      { id: 'C0SECRET', name: 'secret', private: true },
      ...Array.from({ length: 1500 }, (_, index) => ({ id: `C1${index}`, name: `room-${index}` })),
    ],
  });
});
afterAll(() => fake.close());
beforeEach(() => {
  clock = Date.now();
  slack = create(TOKENS.bot);
});

function create(botToken: string): Sender {
  return createSlack({ botToken, apiUrl: fake.apiUrl, log: silentLog, now: () => new Date(clock) });
}

const since = () => new Date(Date.now() - 1000);

it('posts into a channel, a thread and a direct message, each with its mark unseen', async () => {
  const posted = await slack.post(SALES, { card: CARD }, { mark: 'm1' });
  const reply = await slack.post({ ...SALES, thread: posted.id }, { card: CARD }, { mark: 'm2' });
  const direct = await slack.post(MAYA, { card: CARD }, { mark: 'm3' });

  expect(fake.messages('C0SALES').map(({ ts, thread_ts }) => [ts, thread_ts])).toEqual([
    [posted.id, undefined],
    [reply.id, posted.id],
  ]);
  expect(direct.conversation.id).toBe('D0MAYA');
  expect(JSON.stringify(fake.messages('C0SALES').map(({ text, blocks }) => [text, blocks]))).not.toContain(
    'm1',
  );
  expect(await slack.find(SALES, 'm1', since())).toEqual(posted);
  expect(await slack.find({ ...SALES, thread: posted.id }, 'm2', since())).toEqual(reply);
  expect(await slack.find(MAYA, 'm3', since())).toEqual(direct);
  expect(await slack.find(SALES, 'm3', since())).toBeUndefined();
  expect(await slack.find(SALES, 'm1', new Date(Date.now() + 120_000))).toBeUndefined();
});

it('finds a mark beyond the first page', async () => {
  const posted = await slack.post(SALES, { card: CARD }, { mark: 'deep' });
  for (let index = 0; index < 230; index += 1) {
    await slack.post(SALES, { card: CARD }, { mark: `later-${index}` });
  }

  expect(await slack.find(SALES, 'deep', since())).toEqual(posted);
});

it('edits its message, and edits it again without harm', async () => {
  const posted = await slack.post(SALES, { card: CARD });
  const closed = { ...CARD, title: 'Claimed' };

  await slack.update(posted, { card: closed });
  await slack.update(posted, { card: closed });

  const message = fake.messages('C0SALES').find(({ ts }) => ts === posted.id);
  expect(JSON.stringify(message?.blocks)).toContain('Claimed');
});

it('attaches files and images in the thread of the message', async () => {
  const files = [{ name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('a,b\n1,2\n') }];
  const image = { type: 'image' as const, png: Buffer.from('png'), alt: 'A chart' };

  const posted = await slack.post(SALES, { card: { ...CARD, blocks: [image] }, files });

  const shared = [...fake.state.files.values()].filter(({ thread }) => thread === posted.id);
  expect(shared.map(({ name, channel, bytes }) => [name, channel, bytes.toString()])).toEqual([
    ['rows.csv', 'C0SALES', 'a,b\n1,2\n'],
    ['image-1.png', 'C0SALES', 'png'],
  ]);
});

it('says in the thread when a file could not be attached, and counts the message as posted', async () => {
  fake.fail('files.getUploadURLExternal', {
    kind: 'error',
    error: 'missing_scope',
    more: { needed: 'files:write' },
  });

  const posted = await slack.post(SALES, {
    card: CARD,
    files: [{ name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('x') }],
  });

  const note = fake.messages('C0SALES').find(({ thread_ts }) => thread_ts === posted.id);
  expect(note?.text).toContain('rows.csv could not be attached. The Slack app lacks the scope files:write.');
});

const FAILURES: readonly (readonly [string, Fault, ErrorCode, RegExp])[] = [
  ['429', { kind: 'limited', seconds: 7 }, 'RATE_LIMITED', /slow down/],
  ['500', { kind: 'status', status: 500 }, 'OUTCOME_UNKNOWN', /status 500/],
  ['503', { kind: 'status', status: 503 }, 'OUTCOME_UNKNOWN', /status 503/],
  ["a proxy's page", { kind: 'status', status: 403 }, 'OUTCOME_UNKNOWN', /isn't JSON/],
  ['a reset', { kind: 'reset' }, 'OUTCOME_UNKNOWN', /connection/],
  ['a reset after it was taken', { kind: 'reset-after-accept' }, 'OUTCOME_UNKNOWN', /connection/],
  ['channel_not_found', { kind: 'error', error: 'channel_not_found' }, 'TARGET_GONE', /channel/],
  ['is_archived', { kind: 'error', error: 'is_archived' }, 'TARGET_GONE', /archived/],
  ['not_in_channel', { kind: 'error', error: 'not_in_channel' }, 'TARGET_GONE', /isn't in this channel/],
  ['user_not_found', { kind: 'error', error: 'user_not_found' }, 'TARGET_GONE', /person/],
  ['invalid_auth', { kind: 'error', error: 'invalid_auth' }, 'AUTH_REJECTED', /token/],
  ['token_revoked', { kind: 'error', error: 'token_revoked' }, 'AUTH_REJECTED', /token/],
  [
    'missing_scope',
    { kind: 'error', error: 'missing_scope', more: { needed: 'chat:write' } },
    'PERMISSION_DENIED',
    /chat:write/,
  ],
  ['restricted_action', { kind: 'error', error: 'restricted_action' }, 'PERMISSION_DENIED', /post/],
  ['internal_error', { kind: 'error', error: 'internal_error' }, 'OUTCOME_UNKNOWN', /inside/],
  ['invalid_blocks', { kind: 'error', error: 'invalid_blocks' }, 'BUG', /invalid_blocks/],
];

it.each(FAILURES)('answers %s with the right kind of error, once', async (_, fault, code, words) => {
  const before = fake.calls('chat.postMessage');
  fake.fail('chat.postMessage', fault);

  await expect(slack.post(SALES, { card: CARD })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(words),
    ...(code === 'RATE_LIMITED' ? { retryAfterMs: 7000 } : {}),
    ...(code === 'TARGET_GONE' || code === 'AUTH_REJECTED' || code === 'PERMISSION_DENIED'
      ? { fix: expect.any(String) }
      : {}),
  });
  expect(fake.calls('chat.postMessage')).toBe(before + 1);
});

it('knows that nothing was posted when nobody listens', async () => {
  const away = createSlack({ botToken: 'x', apiUrl: 'http://127.0.0.1:9/api/', log: silentLog });

  await expect(away.post(SALES, { card: CARD })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

it('finds the message whose answer was lost', async () => {
  fake.fail('chat.postMessage', { kind: 'reset-after-accept' });
  await expect(slack.post(SALES, { card: CARD }, { mark: 'lost' })).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });

  const found = await slack.find(SALES, 'lost', since());

  expect(fake.messages('C0SALES').some(({ ts }) => ts === found?.id)).toBe(true);
});

it('an edit that may not have worked can be tried again', async () => {
  const posted = await slack.post(SALES, { card: CARD });
  fake.fail('chat.update', { kind: 'status', status: 500 });

  await expect(slack.update(posted, { card: CARD })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

it('refuses an archived and a hidden channel and a person who left', async () => {
  await expect(slack.post({ ...SALES, id: 'C0OLD' }, { card: CARD })).rejects.toMatchObject({
    code: 'TARGET_GONE',
  });
  await expect(slack.post({ ...SALES, id: 'C0SECRET' }, { card: CARD })).rejects.toMatchObject({
    code: 'TARGET_GONE',
  });
  await expect(slack.post({ ...MAYA, id: 'U0GONE' }, { card: CARD })).rejects.toMatchObject({
    code: 'TARGET_GONE',
  });
  await expect(create('xoxb-wrong').post(SALES, { card: CARD })).rejects.toMatchObject({
    code: 'AUTH_REJECTED',
  });
});

it('looks an address up once for many who ask, and remembers the answer', async () => {
  const before = fake.calls('users.lookupByEmail');

  const found = await Promise.all(
    Array.from({ length: 20 }, () => slack.personByEmail(' Maya@Example.com ')),
  );
  const nobody = await slack.personByEmail('nobody@example.com');
  const left = await slack.personByEmail('gone@example.com');
  const nonsense = await slack.personByEmail('not an address');

  expect(new Set(found.map((person) => person?.id))).toEqual(new Set(['U0MAYA']));
  expect([nobody, left, nonsense]).toEqual([undefined, undefined, undefined]);
  expect(fake.calls('users.lookupByEmail')).toBe(before + 3);

  clock += 6 * 60_000;
  await slack.personByEmail('maya@example.com');
  await slack.personByEmail('nobody@example.com');
  expect(fake.calls('users.lookupByEmail')).toBe(before + 4);
});

it('forgets a lookup that failed', async () => {
  fake.fail('users.lookupByEmail', { kind: 'limited', seconds: 1 });

  await expect(slack.personByEmail('sam@example.com')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  expect(await slack.personByEmail('sam@example.com')).toMatchObject({ id: 'U0SAM' });
});

it('knows people and channels by name', async () => {
  expect(await slack.profile(MAYA)).toEqual({
    name: 'Maya Ortiz',
    email: 'maya@example.com',
    timeZone: 'Europe/Paris',
  });
  expect(await slack.profile({ ...MAYA, id: 'U0NOBODY' })).toBeUndefined();
  expect(await slack.nameOf(SALES)).toBe('#sales');
  expect(await slack.nameOf({ ...SALES, id: 'C0SECRET' })).toBeUndefined();
  expect(await slack.nameOf({ ...SALES, id: 'C0OLD' })).toBeUndefined();
});

it('offers channels and people that match, best first', async () => {
  const rooms = await slack.channels('room-14');
  const sales = await slack.channels('#sales');
  const people = await slack.people('maya');

  expect(rooms).toHaveLength(20);
  expect(rooms[0]).toEqual({ value: 'slack:C114', label: '#room-14' });
  expect(sales).toEqual([{ value: 'slack:C0SALES', label: '#sales' }]);
  expect(people).toEqual([{ value: 'slack:@U0MAYA', label: 'Maya Ortiz', hint: 'maya@example.com' }]);
  expect(await slack.channels('C0SALES')).toContainEqual({ value: 'slack:C0SALES', label: '#sales' });
});

it('reads the listing of the workspace once for many searches', async () => {
  await slack.channels('s');
  const before = fake.calls('conversations.list');

  await slack.channels('sa');
  await slack.channels('sal');

  expect(fake.calls('conversations.list')).toBe(before);
});

it('lists what it may when the scope for private channels is missing', async () => {
  fake.fail('conversations.list', { kind: 'error', error: 'missing_scope', more: { needed: 'groups:read' } });

  expect(await slack.channels('general')).toEqual([{ value: 'slack:C0GENERAL', label: '#general' }]);
});

it('offers user groups that are in use, and asks for their members each time', async () => {
  const users = ['U0MAYA', 'U0SAM'];
  fake.state.groups.push(
    { id: 'S0MKT', handle: 'marketing', name: 'Marketing team', users },
    { id: 'S0OLD', handle: 'marketing-old', name: 'Old', users: [], disabled: true },
  );

  expect(await slack.groups?.('@market')).toEqual([
    { value: 'slack:&S0MKT', label: '@marketing', hint: 'Marketing team, 2 people' },
  ]);
  expect(await slack.members?.('S0MKT')).toEqual([MAYA, { ...MAYA, id: 'U0SAM' }]);
  users.shift();
  expect(await slack.members?.('S0MKT')).toEqual([{ ...MAYA, id: 'U0SAM' }]);
  expect(await slack.members?.('S0NONE')).toEqual([]);
});

it.each(['missing_scope', 'plan_upgrade_required'])(
  'offers no groups where Slack says %s, and says so to whoever needs one',
  async (error) => {
    fake.fail('usergroups.list', { kind: 'error', error });
    fake.fail('usergroups.users.list', { kind: 'error', error });

    expect(await slack.groups?.('')).toEqual([]);
    await expect(slack.members?.('S0MKT')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  },
);

it.each([
  ['a member', {}, { email: 'x@example.com' }],
  ['a guest', { is_restricted: true }, { email: 'x@example.com', standing: 'guest' }],
  ['a guest of one channel', { is_ultra_restricted: true }, { email: 'x@example.com', standing: 'guest' }],
  ['somebody who did not confirm the address', { is_email_confirmed: false }, {}],
  ['a stranger', { is_stranger: true }, { standing: 'stranger' }],
  ['somebody from another workspace', { team_id: 'T0OTHER' }, { standing: 'stranger' }],
  [
    'somebody from another organisation',
    { team_id: 'T0OTHER', enterprise_user: { enterprise_id: 'E0OTHER' } },
    { standing: 'stranger' },
  ],
])('vouches for the address of members and guests alone: %s', async (_what, more, expected) => {
  const id = `U0${Object.keys(more).join('').toUpperCase()}${JSON.stringify(more).length}`;
  const email = 'x@example.com';
  fake.state.users.push({ id, name: 'X', email, tz: 'UTC', more });

  expect(await slack.profile({ ...MAYA, id })).toEqual({ name: 'X', timeZone: 'UTC', ...expected });
  const found = await slack.personByEmail(email);
  expect(found?.id).toBe('email' in expected ? id : undefined);
  fake.state.users.pop();
});

it('takes other workspaces of the same organisation for its own', async () => {
  const more = { team_id: 'T0SISTER', enterprise_user: { enterprise_id: 'E0OURS' } };
  fake.state.users.push({ id: 'U0SISTER', name: 'Sis', email: 'sis@example.com', more });
  fake.state.home = { enterprise_id: 'E0OURS' };

  expect(await slack.profile({ ...MAYA, id: 'U0SISTER' })).toEqual({ name: 'Sis', email: 'sis@example.com' });
  fake.state.users.pop();
  fake.state.home = {};
});
