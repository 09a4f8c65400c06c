import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sidesOf } from '../../../bot/teams/files.ts';
import { runsChart } from '../../../engine/cards/chart.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import type { ErrorCode } from '../../../engine/contracts/errors.ts';
import type { ConversationRef, PersonRef } from '../../../engine/contracts/refs.ts';
import { type Reply, startFakeHttp } from '../../fakes/http.ts';
import { directOf, GENERAL, GROUP, MAYA, SALES, SAM, teamsId } from '../../fakes/teams.ts';
import { every, type Json } from '../../fakes/teams-cards.ts';
import { added, cardOf, clientOf } from '../../fakes/teams-client.ts';
import { openStage, type TeamsStage } from './stage.ts';

const CARD: Card = {
  title: 'New account: Acme',
  blocks: [{ type: 'text', text: ['Five seats.'] }],
  fallback: 'Acme',
};
const sales: ConversationRef = { kind: 'conversation', platform: 'teams', id: SALES };
const maya: PersonRef = { kind: 'person', platform: 'teams', id: MAYA };
const since = () => new Date(Date.now() - 1000);

let stage: TeamsStage;
let clock = 0;

beforeEach(async () => {
  clock = 0;
  stage = await openStage({
    config: { now: () => new Date(Date.now() + clock), timeoutMs: 2000 },
    people: Array.from({ length: 5 }, (_, at) => ({
      id: `p-${at}`,
      name: `Person ${at}`,
      email: `p${at}@example.com`,
    })),
  });
});
afterEach(async () => {
  const { violations, http } = stage.fake;
  await stage.close();
  expect(violations).toEqual([]);
  http.expectNoUnexpected();
});

/** An address where nobody listens. */
async function deadEnd(): Promise<string> {
  const { url, close } = await startFakeHttp({}, {});
  await close();
  return `${url}/`;
}

/** The bot has been added to the team, and knows its channels. */
async function settle(): Promise<void> {
  await clientOf(stage.fake, stage.botUrl, MAYA).event('conversationUpdate', added(), { channel: GENERAL });
  await stage.fake.until(() => stage.fake.http.to('GET /teams/v3/teams/:id/conversations').length > 0);
  await expect.poll(() => stage.teams.nameOf(sales)).toBe('#sales');
}

it('begins a thread in a channel, answers in one, and writes to a person, with marks that are found again', async () => {
  const posted = await stage.teams.post(sales, { card: CARD }, { mark: 'm1' });
  const reply = await stage.teams.post({ ...sales, thread: posted.id }, { card: CARD }, { mark: 'm2' });
  const direct = await stage.teams.post(maya, { card: CARD }, { mark: 'm3' });

  expect(stage.fake.messages(SALES).map(({ id, thread }) => [id, thread])).toEqual([
    [posted.id, undefined],
    [reply.id, posted.id],
  ]);
  expect(direct.conversation.id).toBe(directOf(MAYA));
  expect(await stage.teams.find(sales, 'm1', since())).toEqual(posted);
  expect(await stage.teams.find({ ...sales, thread: posted.id }, 'm2', since())).toEqual(reply);
  expect(await stage.teams.find(maya, 'm3', since())).toEqual(direct);
  expect(await stage.teams.find(sales, 'm4', since())).toBeUndefined();
});

it('opens a chat with a person once', async () => {
  await stage.teams.post(maya, { card: CARD });
  await stage.teams.post(maya, { card: CARD });

  expect(stage.fake.http.to('POST /teams/v3/conversations')).toHaveLength(1);
});

it('edits its message, and edits it again without harm', async () => {
  const posted = await stage.teams.post(sales, { card: CARD });

  await stage.teams.update(posted, { card: { ...CARD, title: 'Claimed' } });
  await stage.teams.update(posted, { card: { ...CARD, title: 'Claimed' } });

  const [message] = stage.fake.messages(SALES);
  expect([message?.edits, JSON.stringify(message?.activity).includes('Claimed')]).toEqual([2, true]);
});

it('shows small pictures in the card and larger ones behind an address, within the size that Teams shows', async () => {
  const chart = await runsChart('Runs', []);
  const large = Buffer.concat([
    Buffer.from(chart).subarray(0, 16),
    Buffer.from([0, 0, 4, 0, 0, 0, 1, 0]),
    Buffer.alloc(20_000, 7),
  ]);
  const blocks = [
    { type: 'image', png: chart, alt: 'Chart' },
    { type: 'image', png: large, alt: 'Large' },
    { type: 'image', png: Buffer.concat([large, Buffer.alloc(1024 * 1024)]), alt: 'Too large' },
  ] as const;

  await stage.teams.post(sales, { card: { ...CARD, blocks } });

  const drawn = cardOf(stage.fake.messages(SALES)[0]!);
  const [inline = '', linked = ''] = every(drawn).flatMap(({ type, url }) =>
    type === 'Image' ? [String(url)] : [],
  );
  expect(sidesOf(chart).width).toBeGreaterThan(1024);
  expect(sidesOf(Buffer.from(inline.replace('data:image/png;base64,', ''), 'base64')).width).toBe(1024);
  expect(JSON.stringify(drawn)).toContain('🖼️ Too large');
  const served = await fetch(linked);
  expect(Buffer.from(await served.arrayBuffer())).toEqual(large);
  expect(served.headers.get('content-type')).toBe('image/png');
  clock = 31 * 24 * 60 * 60_000;
  expect((await fetch(linked)).status).toBe(404);
});

const FAILURES: readonly (readonly [string, Reply, ErrorCode, RegExp])[] = [
  ['429', { status: 429, headers: { 'retry-after': '7' } }, 'RATE_LIMITED', /slow down/],
  ['412', { status: 412 }, 'UNAVAILABLE', /busy/],
  ['500', { status: 500 }, 'OUTCOME_UNKNOWN', /status 500/],
  ['502', { status: 502, text: '<html>' }, 'OUTCOME_UNKNOWN', /status 502/],
  ['504', { status: 504 }, 'OUTCOME_UNKNOWN', /status 504/],
  ['a reset', 'reset', 'OUTCOME_UNKNOWN', /connection/],
  ['a reset after it was taken', 'done-then-reset', 'OUTCOME_UNKNOWN', /connection/],
  ['silence', 'hang', 'OUTCOME_UNKNOWN', /connection/],
  ['401', { status: 401 }, 'AUTH_REJECTED', /refused the bot/],
  ['a removed bot', refusal(403, 'BotNotInConversationRoster'), 'TARGET_GONE', /isn't in this team/],
  ['a deleted channel', refusal(404, 'ConversationNotFound'), 'TARGET_GONE', /channel is gone/],
  ['moderation', refusal(403, 'NotEnoughPermissions'), 'PERMISSION_DENIED', /may not post/],
  [
    'somebody who blocked the bot',
    {
      status: 403,
      text: '{"errorCode":209,"message":"{\\r\\n  \\"subCode\\": \\"MessageWritesBlocked\\"}"}',
    },
    'TARGET_GONE',
    /blocked/,
  ],
  ['a message that is too large', refusal(413, 'MessageSizeTooBig'), 'BUG', /too large/],
  ['something else', refusal(400, 'BadSyntax'), 'BUG', /BadSyntax/],
];

function refusal(status: number, code: string): Reply {
  return { status, json: { error: { code, message: code } } };
}

it.each(FAILURES)('answers %s with the right kind of error, once', async (_, reply, code, words) => {
  const thread = { ...sales, thread: (await stage.teams.post(sales, { card: CARD })).id };
  stage.fake.http.next(reply);

  const failing = stage.teams.post(thread, { card: CARD });

  await expect(failing).rejects.toMatchObject({
    code,
    message: expect.stringMatching(words),
    ...(code === 'RATE_LIMITED' ? { retryAfterMs: 7000 } : {}),
    ...(code === 'TARGET_GONE' || code === 'AUTH_REJECTED' ? { fix: expect.any(String) } : {}),
  });
  expect(stage.fake.http.to('POST /teams/v3/conversations/:id/activities')).toHaveLength(1);
});

it('knows that nothing was posted when nobody listens', async () => {
  const away = await openStage({ config: { serviceUrl: await deadEnd() } });

  await expect(away.teams.post(sales, { card: CARD })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await away.close();
});

it('an edit that may not have worked can be tried again', async () => {
  const posted = await stage.teams.post(sales, { card: CARD });
  stage.fake.http.next({ status: 500 });

  await expect(stage.teams.update(posted, { card: CARD })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

it('can say of a lost answer only what Graph lets it see', async () => {
  const graph = await openStage({
    config: {
      graphUrl: stage.fake.graphUrl,
      serviceUrl: stage.fake.serviceUrl,
      loginUrl: stage.fake.loginUrl,
    },
  });
  await clientOf(stage.fake, stage.botUrl, MAYA).say('x', { channel: SALES, thread: '1' });
  const told =
    "insert into teams_conversations (id, kind, team_id, team_group_id, service_url, seen_at) values ($1, 'channel', $2, 'g', $3, now())";
  await graph.store.db.query(told, [SALES, GENERAL, stage.fake.serviceUrl]);
  // The token for Graph and for the service are asked for before the fault.
  await graph.teams.post(sales, { card: CARD });
  await graph.teams.find(sales, 'none', since());
  stage.fake.http.next('done-then-reset');
  await expect(graph.teams.post(sales, { card: CARD }, { mark: 'lost' })).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  for (let index = 0; index < 4; index += 1) {
    await graph.teams.post(sales, { card: CARD });
  }

  const found = await graph.teams.find(sales, 'lost', since());
  const blind = await stage.teams.find(sales, 'lost', since());
  stage.fake.http.next({ status: 403, json: { error: { code: 'Forbidden' } } });
  const forbidden = await graph.teams.find(sales, 'lost', since());

  expect(stage.fake.messages(SALES).map(({ id }) => id)).toContain(found?.id);
  expect([blind, forbidden]).toEqual([undefined, undefined]);
  await graph.close();
});

it('proves itself with a certificate, and asks for a token only when the last one ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'teams-'));
  const [certificateFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=bot',
      '-keyout',
      keyFile,
      '-out',
      certificateFile,
      '-days',
      '2',
    ],
    { stdio: 'ignore' },
  );
  const certified = await openStage({
    certificate: readFileSync(certificateFile, 'utf8'),
    config: {
      credential: { type: 'certificate', certificateFile, keyFile },
      now: () => new Date(Date.now() + clock),
    },
  });

  await certified.teams.post(sales, { card: CARD });
  await certified.teams.post(sales, { card: CARD });
  expect(certified.fake.tokensAsked()).toBe(1);
  clock = 56 * 60_000;
  await certified.teams.post(sales, { card: CARD });
  expect(certified.fake.tokensAsked()).toBe(2);

  writeFileSync(keyFile, 'not a key');
  clock *= 2;
  await expect(certified.teams.post(sales, { card: CARD })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await certified.close();
});

it.each([
  [{ type: 'secret', secret: 'wrong-secret' } as const, 'AUTH_REJECTED', /refused to sign the bot in/],
])('says so when Microsoft does not take the proof', async (credential, code, words) => {
  const wrong = await openStage({ config: { credential } });

  await expect(wrong.teams.post(sales, { card: CARD })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(words),
  });
  expect(wrong.fake.messages(SALES)).toEqual([]);
  await wrong.close();
});

it('knows nothing of a token in a failure', async () => {
  stage.fake.http.next({ status: 503, text: 'away' });

  const error = await stage.teams.post(sales, { card: CARD }).catch((thrown: unknown) => thrown);

  expect(error).toMatchObject({ code: 'UNAVAILABLE' });
  expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('app-secret');
});

it('reads people from the rosters, page by page, once for many who ask', async () => {
  await settle();

  const found = await Promise.all(
    Array.from({ length: 20 }, () => stage.teams.personByEmail(' Maya@Example.com ')),
  );
  const byPrincipalName = await stage.teams.personByEmail('p4@corp.example.com');
  const nobody = await stage.teams.personByEmail('nobody@example.com');
  const nonsense = await stage.teams.personByEmail('not an address');

  expect(new Set(found.map((person) => person?.id))).toEqual(new Set([MAYA]));
  expect(byPrincipalName?.id).toBe('p-4');
  expect([nobody, nonsense]).toEqual([undefined, undefined]);
  expect(stage.fake.state.members).toBe(4);
  expect(await stage.teams.people('person 3')).toEqual([
    { value: 'teams:@p-3', label: 'Person 3', hint: 'p3@example.com' },
  ]);
});

it('forgets who left, once the rosters are read again', async () => {
  await settle();
  expect(await stage.teams.personByEmail('p0@example.com')).toMatchObject({ id: 'p-0' });

  stage.fake.state.people.splice(
    stage.fake.state.people.findIndex(({ id }) => id === 'p-0'),
    1,
  );
  clock = 25 * 60 * 60_000;

  expect(await stage.teams.personByEmail('p0@example.com')).toBeUndefined();
});

it('finds those whom only Graph knows, where it may ask there', async () => {
  stage.fake.state.people.push({ id: 'g-1', name: 'Gia', email: "gi'a@example.com", listed: false });
  const { fake } = stage;
  const graph = await openStage({
    config: { graphUrl: fake.graphUrl, serviceUrl: fake.serviceUrl, loginUrl: fake.loginUrl },
  });

  expect(await stage.teams.personByEmail("gi'a@example.com")).toBeUndefined();
  // A quotation mark in an address does not end the filter.
  expect(await graph.teams.personByEmail("gi'a@example.com")).toBeUndefined();
  expect(await graph.teams.personByEmail('sam@example.com')).toMatchObject({ id: SAM });
  const asked = fake.http.to('GET /graph/v1.0/users').map(({ query }) => query.get('$filter'));
  expect(asked[0]).toBe("mail eq 'gi''a@example.com' or userPrincipalName eq 'gi''a@example.com'");
  const gus = {
    id: 'g-2',
    name: 'Gus',
    email: 'gus@example.com',
    listed: false,
    more: { userType: 'Guest' },
  };
  fake.state.people.push(gus);
  expect(await graph.teams.personByEmail('gus@example.com')).toMatchObject({ id: 'g-2' });
  expect(await graph.teams.profile({ ...maya, id: 'g-2' })).toMatchObject({ standing: 'guest' });
  await graph.close();
});

it('knows who somebody is from the roster, and their time zone from what they said', async () => {
  const client = clientOf(stage.fake, stage.botUrl, MAYA);
  await client.say('help');
  // Some of what Teams tells comes without a name.
  await client.event('conversationUpdate', { from: { id: teamsId(MAYA), aadObjectId: MAYA } });

  expect(await stage.teams.profile(maya)).toEqual({
    name: 'Maya Ortiz',
    email: 'maya@example.com',
    timeZone: 'Europe/Paris',
  });
  expect(await stage.teams.profile({ ...maya, id: 'nobody' })).toBeUndefined();
});

it('offers channels and chats that it is in, and says which team where names are the same', async () => {
  const second = { id: '19:second@thread.tacv2', name: 'Contoso', groupId: 'group-2' };
  stage.fake.state.teams.push(second);
  stage.fake.state.channels.push(
    { id: second.id, team: second.id },
    { id: '19:deals@thread.tacv2', name: 'deals', team: second.id },
  );
  await settle();
  const client = clientOf(stage.fake, stage.botUrl, MAYA);
  const [team, channelData] = [
    { id: second.id, name: 'Contoso', aadGroupId: 'group-2' },
    added()['channelData'] as Json,
  ];
  await client.event(
    'conversationUpdate',
    { ...added(), channelData: { ...channelData, team } },
    { channel: second.id },
  );
  await client.say('hi', { group: true });

  await expect
    .poll(() => stage.teams.channels('deals'))
    .toEqual([{ value: 'teams:19:deals@thread.tacv2', label: '#deals', hint: 'Contoso' }]);
  const general = await stage.teams.channels('general');
  expect(general.map(({ label }) => label)).toEqual(['#General (Contoso)', '#General (Northwind)']);
  expect(await stage.teams.channels('deal room')).toEqual([{ value: `teams:${GROUP}`, label: 'Deal room' }]);
  expect(await stage.teams.channels(SALES)).toMatchObject([{ label: '#sales' }]);
  expect(await stage.teams.nameOf({ ...sales, id: GENERAL })).toBe('#General (Northwind)');
});

it('notices that a channel was deleted, and that the bot was removed', async () => {
  await settle();
  const client = clientOf(stage.fake, stage.botUrl, MAYA);
  const about = {
    tenant: (added()['channelData'] as Json)['tenant'],
    team: { id: GENERAL, name: 'Northwind' },
  };

  await client.event(
    'conversationUpdate',
    { channelData: { ...about, eventType: 'channelDeleted', channel: { id: SALES } } },
    { channel: GENERAL },
  );
  await expect.poll(() => stage.teams.nameOf(sales)).toBeUndefined();
  await client.event(
    'conversationUpdate',
    { channelData: { ...about, eventType: 'channelRestored', channel: { id: SALES } } },
    { channel: GENERAL },
  );
  await expect.poll(() => stage.teams.nameOf(sales)).toBe('#sales');
  stage.fake.state.closed.add(GENERAL);
  await client.event('installationUpdate', { action: 'remove' }, { channel: GENERAL });

  await expect.poll(() => stage.teams.channels('')).toEqual([]);
});

it('posts to the address that the last activity came from', async () => {
  await stage.store.db.query(
    `insert into teams_conversations (id, kind, service_url, seen_at) values ($1, 'channel', $2, now())`,
    [SALES, await deadEnd()],
  );
  await expect(stage.teams.post(sales, { card: CARD })).rejects.toMatchObject({ code: 'UNAVAILABLE' });

  await clientOf(stage.fake, stage.botUrl, MAYA).say('hello', { channel: SALES, thread: '1' });

  await expect(stage.teams.post(sales, { card: CARD })).resolves.toMatchObject({ conversation: sales });
});

it.each([
  ['a member', {}, { email: 'x@example.com' }],
  ['a guest by the role', { userRole: 'guest' }, { email: 'x@example.com', standing: 'guest' }],
  [
    'a guest by the name, of whom no address is told',
    { userPrincipalName: 'x_contoso.com#EXT#@corp.example.com', email: undefined },
    { standing: 'guest' },
  ],
  ['a stranger', { tenantId: 'bbbbbbbb-0000-0000-0000-000000000000' }, { standing: 'stranger' }],
  ['somebody without an account', { userRole: 'anonymous' }, { standing: 'stranger' }],
])('vouches for the address of members and guests alone: %s', async (_what, more, expected) => {
  await settle();
  stage.fake.state.people.push({ id: 'x', name: 'X', email: 'x@example.com', more });

  const found = await stage.teams.personByEmail('x@example.com');
  expect(found).toEqual('email' in expected ? { kind: 'person', platform: 'teams', id: 'x' } : undefined);
  expect(await stage.teams.profile({ ...maya, id: 'x' })).toEqual({ name: 'X', ...expected });
});

it('offers its teams as groups, whose members are asked for each time, without strangers', async () => {
  expect(await stage.teams.groups?.('')).toEqual([]);
  await settle();
  const other = { tenantId: 'bbbbbbbb-0000-0000-0000-000000000000' };
  stage.fake.state.people.push({ id: 'x', name: 'X', email: 'x@example.com', more: other });

  expect(await stage.teams.groups?.('north')).toEqual([
    { value: `teams:&${GENERAL}`, label: '@Northwind', hint: 'a team' },
  ]);
  const before = await stage.teams.members?.(GENERAL);
  expect(before?.map(({ id }) => id)).toEqual([MAYA, SAM, 'p-0', 'p-1', 'p-2', 'p-3', 'p-4']);
  stage.fake.state.people.splice(1, 1);
  expect(await stage.teams.members?.(GENERAL)).not.toContainEqual({ ...maya, id: SAM });
  await expect(stage.teams.members?.('19:nowhere@thread.tacv2')).rejects.toMatchObject({
    code: 'TARGET_GONE',
  });
});
