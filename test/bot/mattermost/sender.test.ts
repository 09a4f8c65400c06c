import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createMattermost } from '../../../bot/mattermost/platform.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { Sender } from '../../../engine/contracts/chat.ts';
import type { ErrorCode } from '../../../engine/contracts/errors.ts';
import type { ConversationRef, PersonRef } from '../../../engine/contracts/refs.ts';
import {
  BOT,
  type FakeMattermost,
  type Fault,
  GENERAL,
  HIDDEN,
  MAYA,
  OPEN,
  SALES,
  startFakeMattermost,
  TEAM,
  TOKEN,
  textOf,
  VERSIONS,
} from '../../fakes/mattermost.ts';
import { silentLog } from '../../support/log.ts';

const CARD: Card = {
  title: 'New account: Acme',
  blocks: [
    { type: 'text', text: ['Five seats.'] },
    { type: 'actions', actions: [{ type: 'button', label: 'Claim', run: { command: 'claim', input: {} } }] },
  ],
  fallback: 'Acme',
};
const sales: ConversationRef = { kind: 'conversation', platform: 'mattermost', id: SALES };
const maya: PersonRef = { kind: 'person', platform: 'mattermost', id: MAYA };
const since = () => new Date(Date.now() - 1000);
const unheard = { claim: async () => true, last: async () => undefined };

describe.each(VERSIONS)('speaking to %s', (version) => {
  let fake: FakeMattermost;
  let mattermost: Sender;
  let clock: number;

  function create(token: string = TOKEN, timeoutMs = 15_000): Sender {
    return createMattermost({
      url: `${fake.url}/`,
      token,
      timeoutMs,
      callbackUrl: 'https://bot.example',
      secretKey: 'k'.repeat(32),
      heard: unheard,
      log: silentLog,
      now: () => new Date(clock),
    });
  }
  beforeAll(async () => {
    fake = await startFakeMattermost({
      version,
      users: [{ id: 'gone1'.padEnd(26, '0'), username: 'gone', email: 'gone@example.com', delete_at: 1 }],
      channels: [
        { id: 'old1'.padEnd(26, '0'), name: 'old-sales', type: 'P', team: TEAM, members: new Set([BOT]) },
        ...Array.from({ length: 450 }, (_, index) => ({
          id: `room${index}x`.padEnd(26, '0'),
          name: `room-${index}`,
          type: 'O' as const,
          team: TEAM,
          members: new Set<string>(),
        })),
      ],
    });
    fake.state.channels.get('old1'.padEnd(26, '0'))!.delete_at = 1;
  });
  afterAll(() => fake.close());
  beforeEach(() => {
    clock = Date.now();
    mattermost = create();
  });
  afterEach(() => expect(fake.violations).toEqual([]));

  it('posts into a channel, a thread and a direct message, each with its mark unseen', async () => {
    const posted = await mattermost.post(sales, { card: CARD }, { mark: 'm1' });
    const reply = await mattermost.post({ ...sales, thread: posted.id }, { card: CARD }, { mark: 'm2' });
    const direct = await mattermost.post(maya, { card: CARD }, { mark: 'm3' });

    expect(fake.posts(SALES).map(({ id, root_id: root }) => [id, root])).toEqual([
      [posted.id, ''],
      [reply.id, posted.id],
    ]);
    expect(fake.direct(MAYA).map(({ id }) => id)).toEqual([direct.id]);
    expect(fake.posts(SALES).map(textOf).join()).not.toMatch(/m[123]/);
    expect(await mattermost.find(sales, 'm1', since())).toEqual(posted);
    expect(await mattermost.find({ ...sales, thread: posted.id }, 'm2', since())).toEqual(reply);
    expect(await mattermost.find(maya, 'm3', since())).toEqual(direct);
    expect(await mattermost.find(sales, 'm3', since())).toBeUndefined();
  });

  it('finds a mark beyond the first page, and stops at posts that are too old', async () => {
    const posted = await mattermost.post(sales, { card: CARD }, { mark: 'deep' });
    for (let index = 0; index < 410; index += 1) {
      fake.say(`later ${index}`);
    }

    const before = fake.calls('GET /channels/*/posts');
    expect(await mattermost.find(sales, 'deep', since())).toEqual(posted);
    expect(await mattermost.find(sales, 'deep', new Date(Date.now() + 3_600_000))).toBeUndefined();
    expect(fake.calls('GET /channels/*/posts')).toBe(before + 4);
  });

  it('posts once when it is told twice within half a minute', async () => {
    const first = await mattermost.post(sales, { card: CARD }, { mark: 'twice' });
    const second = await mattermost.post(sales, { card: CARD }, { mark: 'twice' });

    expect(second).toEqual(first);
  });

  it('edits its message without harm, and keeps the mark that somebody may still look for', async () => {
    const posted = await mattermost.post(sales, { card: CARD }, { mark: 'edited' });
    const closed = { ...CARD, title: 'Claimed', blocks: [] };

    await mattermost.update(posted, { card: closed });
    await mattermost.update(posted, { card: closed });

    const post = fake.posts(SALES).find(({ id }) => id === posted.id);
    expect([post?.message, post?.props['attachments']]).toEqual(['#### Claimed', []]);
    expect(await mattermost.find(sales, 'edited', since())).toEqual(posted);
  });

  it('attaches files and images to the message, and what is too many below it', async () => {
    const files = Array.from({ length: 11 }, (_, index) => ({
      name: `rows-${index}.csv`,
      type: 'text/csv',
      bytes: Buffer.from(`a,${index}\n`),
    }));
    const image = { type: 'image' as const, png: Buffer.from('png'), alt: 'A chart' };

    const posted = await mattermost.post(sales, { card: { ...CARD, blocks: [image] }, files });

    const names = (ids: readonly string[]) => ids.map((id) => fake.state.files.get(id)?.name);
    const post = fake.posts(SALES).find(({ id }) => id === posted.id);
    const reply = fake.posts(SALES).find(({ root_id: root }) => root === posted.id);
    expect(names(post?.file_ids ?? [])).toEqual(files.slice(0, 10).map(({ name }) => name));
    expect(names(reply?.file_ids ?? [])).toEqual(['rows-10.csv', 'image-1.png']);
    expect(fake.state.files.get(post?.file_ids[3] ?? '')?.bytes.toString()).toBe('a,3\n');
  });

  it('says in the thread when a file could not be attached, and counts the message as posted', async () => {
    fake.fail('POST /files', { kind: 'status', status: 413, id: 'api.file.upload_file.too_large.app_error' });

    const posted = await mattermost.post(sales, {
      card: CARD,
      files: [{ name: 'rows.csv', type: 'text/csv', bytes: Buffer.from('x') }],
    });

    const note = fake.posts(SALES).find(({ root_id: root }) => root === posted.id);
    expect(note?.message).toBe(
      'The file rows.csv could not be attached. The file is larger than Mattermost takes.',
    );
  });

  it('joins a public channel that it is not in, and says how to get into a private one', async () => {
    const posted = await mattermost.post({ ...sales, id: OPEN }, { card: CARD });

    expect(fake.posts(OPEN).map(({ id }) => id)).toEqual([posted.id]);
    await expect(mattermost.post({ ...sales, id: HIDDEN }, { card: CARD })).rejects.toMatchObject({
      code: 'TARGET_GONE',
      message: "The bot isn't in this channel.",
      fix: 'Type /invite @activate in the channel.',
    });
  });

  const FAILURES: readonly (readonly [string, Fault, ErrorCode, RegExp])[] = [
    ['429', { kind: 'limited', headers: { 'x-ratelimit-reset': '7' } }, 'RATE_LIMITED', /slow down/],
    ['500', { kind: 'status', status: 500 }, 'OUTCOME_UNKNOWN', /status 500/],
    ['503', { kind: 'status', status: 503 }, 'OUTCOME_UNKNOWN', /status 503/],
    ["a proxy's page", { kind: 'page' }, 'OUTCOME_UNKNOWN', /isn't JSON/],
    ['a reset', { kind: 'reset' }, 'OUTCOME_UNKNOWN', /connection/],
    ['a reset after it was taken', { kind: 'reset-after' }, 'OUTCOME_UNKNOWN', /connection/],
    [
      '401',
      { kind: 'status', status: 401, id: 'api.context.session_expired.app_error' },
      'AUTH_REJECTED',
      /token/,
    ],
    [
      'a channel for admins',
      { kind: 'status', status: 403, id: 'api.post.create_post.town_square_read_only' },
      'PERMISSION_DENIED',
      /admins/,
    ],
    ['a redirect', { kind: 'status', status: 301 }, 'CONFIG_INVALID', /another address/],
    ['a refused post', { kind: 'status', status: 400, id: 'model.post.is_valid.x' }, 'BUG', /POST .*posts/],
  ];

  it.each(FAILURES)('answers %s with the right kind of error, once', async (_, fault, code, words) => {
    const before = fake.calls('POST /posts');
    fake.fail('POST /posts', fault);

    await expect(mattermost.post(sales, { card: CARD })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words),
    });
    expect(fake.calls('POST /posts')).toBe(before + 1);
  });

  it('waits as long as the server says, in seconds or until a second of the epoch', async () => {
    const epoch = Math.floor(clock / 1000) + 9;
    fake.fail(
      'POST /posts',
      { kind: 'limited', headers: { 'retry-after': '3', 'x-ratelimit-reset': '7' } },
      { kind: 'limited', headers: { 'x-ratelimit-reset': String(epoch) } },
      { kind: 'limited', headers: {} },
    );

    const waits: number[] = [];
    for (let tried = 0; tried < 3; tried += 1) {
      const error: unknown = await mattermost.post(sales, { card: CARD }).catch((thrown: unknown) => thrown);
      waits.push((error as { retryAfterMs: number }).retryAfterMs);
    }

    expect(waits[0]).toBe(3000);
    expect(waits[1]).toBeGreaterThan(8000);
    expect(waits[1]).toBeLessThanOrEqual(9000);
    expect(waits[2]).toBe(1000);
  });

  it('finds the message whose answer was lost, so that it is not posted again', async () => {
    fake.fail('POST /posts', { kind: 'reset-after' });

    await expect(mattermost.post(sales, { card: CARD }, { mark: 'lost' })).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });

    expect(await mattermost.find(sales, 'lost', since())).toBeDefined();
  });

  it('an edit or a search that got no answer can be done again', async () => {
    const posted = await mattermost.post(sales, { card: CARD }, { mark: 'again' });
    fake.fail('PUT /posts/*/patch', { kind: 'reset' });
    fake.fail('GET /channels/*/posts', { kind: 'status', status: 502 });

    await expect(mattermost.update(posted, { card: CARD })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(mattermost.find(sales, 'again', since())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('says of a message that is gone that it is gone, and of a wrong token that it is wrong', async () => {
    const gone = { conversation: sales, id: 'x'.repeat(26) };

    await expect(mattermost.update(gone, { card: CARD })).rejects.toMatchObject({ code: 'TARGET_GONE' });
    await expect(create('expired-token').post(sales, { card: CARD })).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      fix: expect.stringContaining('MATTERMOST_TOKEN'),
    });
  });

  it('finds people by e-mail once for many who ask, and again after an hour', async () => {
    const before = fake.calls('GET /users/email/maya%40example.com');
    const found = await Promise.all(
      Array.from({ length: 20 }, () => mattermost.personByEmail(' Maya@example.com')),
    );

    expect(new Set(found.map((person) => person?.id))).toEqual(new Set([MAYA]));
    expect(fake.calls('GET /users/email/maya%40example.com')).toBe(before + 1);
    expect(await mattermost.personByEmail('nobody@example.com')).toBeUndefined();
    expect(await mattermost.personByEmail('gone@example.com')).toBeUndefined();
    expect(await mattermost.personByEmail('no address')).toBeUndefined();

    clock += 61 * 60_000;
    await mattermost.personByEmail('maya@example.com');
    expect(fake.calls('GET /users/email/maya%40example.com')).toBe(before + 2);
  });

  it('knows people and channels by name', async () => {
    expect(await mattermost.profile(maya)).toEqual({
      name: 'Maya Ortiz',
      email: 'maya@example.com',
      timeZone: 'Europe/Paris',
    });
    expect(await mattermost.profile({ ...maya, id: 'n'.repeat(26) })).toBeUndefined();
    expect(await mattermost.nameOf(sales)).toBe('#sales');
    expect(await mattermost.nameOf({ ...sales, id: HIDDEN })).toBeUndefined();
    expect(await mattermost.nameOf({ ...sales, id: 'old1'.padEnd(26, '0') })).toBeUndefined();
  });

  it('offers channels and people that match, best first', async () => {
    const rooms = await mattermost.channels('room-44');

    expect(rooms.map(({ label }) => label)).toEqual([
      '#room-44',
      ...Array.from({ length: 10 }, (_, index) => `#room-44${index}`),
    ]);
    expect(await mattermost.channels('#sales')).toEqual([{ value: `mattermost:${SALES}`, label: '#sales' }]);
    expect((await mattermost.channels('random'))[0]).toMatchObject({ label: '#random' });
    expect(await mattermost.channels(GENERAL)).toEqual([
      { value: `mattermost:${GENERAL}`, label: '#town-square' },
    ]);
    expect(await mattermost.people('may')).toEqual([
      { value: `mattermost:@${MAYA}`, label: 'Maya Ortiz', hint: 'maya@example.com' },
    ]);
    expect((await mattermost.people('')).map(({ label }) => label)).toEqual(['Maya Ortiz', 'Sam']);
  });

  it('offers the groups of people that the licence has', async () => {
    fake.state.groups.push({
      id: 'g'.repeat(26),
      name: 'approvers',
      display_name: 'Approvers',
      members: [MAYA],
    });

    const found = await mattermost.groups?.('appr');

    expect(found).toEqual(
      version.startsWith('6.') ? [] : [{ value: `mattermost:&${'g'.repeat(26)}`, label: 'Approvers' }],
    );
    expect(await mattermost.members?.('g'.repeat(26))).toEqual([maya]);
  });
});

it('vouches for e-mail addresses only where the server has them verified, or an admin says so', async () => {
  const fake = await startFakeMattermost({ settings: { RequireEmailVerification: 'false' } });
  const create = (trustEmails: boolean) =>
    createMattermost({
      url: fake.url,
      token: TOKEN,
      callbackUrl: 'https://bot.example',
      secretKey: 'k'.repeat(32),
      trustEmails,
      heard: unheard,
      log: silentLog,
    });

  expect(await create(false).profile(maya)).toEqual({ name: 'Maya Ortiz', timeZone: 'Europe/Paris' });
  expect((await create(true).profile(maya))?.email).toBe('maya@example.com');
  await fake.close();
});

it.each([
  ['a member', {}, { email: 'x@example.com' }],
  ['a guest', { roles: 'system_user system_guest' }, { email: 'x@example.com', standing: 'guest' }],
  ['somebody from a connected server', { remote_id: 'r'.repeat(26) }, { standing: 'stranger' }],
])('vouches for the address of members and guests alone: %s', async (_what, more, expected) => {
  const id = 'x1'.padEnd(26, '0');
  const fake = await startFakeMattermost({
    users: [{ id, username: 'x', email: 'x@example.com', ...more }],
  });
  const mattermost = createMattermost({
    url: fake.url,
    token: TOKEN,
    callbackUrl: 'https://bot.example',
    secretKey: 'k'.repeat(32),
    heard: unheard,
    log: silentLog,
  });

  expect(await mattermost.profile({ ...maya, id })).toEqual({ name: 'x', ...expected });
  expect(await mattermost.personByEmail('x@example.com')).toEqual(
    'email' in expected ? { ...maya, id } : undefined,
  );
  await fake.close();
});

it('says what is missing when the server has no way to reach the bot', () => {
  const config = { url: 'https://x.example', token: TOKEN, secretKey: 'k', heard: unheard, log: silentLog };

  expect(() => createMattermost({ ...config, callbackUrl: undefined })).toThrow(
    'Mattermost has no way to reach the bot.',
  );
  expect(() => createMattermost({ ...config, callbackUrl: 'https://b', caFile: '/nowhere.pem' })).toThrow(
    "MATTERMOST_CA_FILE can't be used",
  );
});

it('says so when nobody is at the address', async () => {
  const fake = await startFakeMattermost();
  const config = { token: TOKEN, callbackUrl: 'https://b', secretKey: 'k', heard: unheard, log: silentLog };
  const mattermost = createMattermost({ ...config, url: fake.url });
  await fake.close();

  await expect(mattermost.post(sales, { card: CARD })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    fix: expect.stringContaining('MATTERMOST_URL'),
  });
});
