import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSender, type LocalSender } from '../../../bot/local/sender.ts';
import { CHANNEL, dismiss, file, listed, markRead, message, messages } from '../../../bot/local/store.ts';
import type { Card } from '../../../engine/contracts/card.ts';
import { ActivateError } from '../../../engine/contracts/errors.ts';
import { createDb } from '../../../engine/store/db.ts';
import { silentLog } from '../../support/log.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

const people = [
  { id: 'ada', name: 'Ada Okafor', email: 'Ada@example.com', timeZone: 'Europe/Paris', title: 'Sales' },
  { id: 'bo', name: 'Bo Lind', email: 'bo@example.com' },
];
const channels = [
  { id: 'sales', name: 'sales' },
  { id: 'data', name: 'data-team' },
];
const groups = [{ id: 'crew', name: 'crew', people: ['ada', 'left'] }];
const ada = { kind: 'person', platform: 'local', id: 'ada' } as const;
const sales = { kind: 'conversation', platform: 'local', id: 'sales' } as const;
const data = { ...sales, id: 'data' };
const now = (): Date => new Date('2026-03-29T00:59:00Z');

function card(title: string, ...blocks: Card['blocks']): Card {
  return { title, blocks, fallback: title };
}

let fresh: FreshDb;
let sender: LocalSender;

beforeAll(async () => {
  fresh = await freshDb();
  sender = createSender({ db: fresh.db, people, channels, groups, now });
});
afterAll(() => fresh.close());

async function shown(id: string, viewer = 'ada'): Promise<readonly string[]> {
  const found = await messages(fresh.db, viewer, id, 100);
  return found.map((one) => (one.from === 'bot' ? one.card.title : one.body));
}

describe('the local sender', () => {
  it('posts to a channel and tells it to whoever listens', async () => {
    const ears = new AbortController();
    const heard = new Promise<string>((resolve) => {
      void fresh.db
        .listen(CHANNEL, resolve, ears.signal)
        .then(() => sender.post(sales, { card: card('Hello') }));
    });

    expect(JSON.parse(await heard)).toEqual({ conversation: 'sales' });
    expect(await shown('sales')).toEqual(['Hello']);
    ears.abort();
  });

  it('keeps every character of a card, NUL and half an emoji included, and its picture', async () => {
    const odd = 'a\0b\uD83D"\\';
    const posted = await sender.post(data, {
      card: card(odd, { type: 'image', png: new Uint8Array([137, 80, 78, 71]), alt: 'chart' }),
    });

    const found = await message(fresh.db, 'ada', Number(posted.id));

    expect(found?.from === 'bot' && found.card.title).toBe(odd);
    expect(found?.from === 'bot' && found.card.blocks[0]).toMatchObject({
      type: 'image',
      png: Buffer.from([137, 80, 78, 71]),
    });
  });

  it('finds a message by its mark, and never stores the same mark twice', async () => {
    const target = { ...data };
    expect(await sender.find(target, 'm-1', now())).toBeUndefined();

    const [first, second] = await Promise.all([
      sender.post(target, { card: card('Once') }, { mark: 'm-1' }),
      sender.post(target, { card: card('Once') }, { mark: 'm-1' }),
    ]);

    expect(second).toEqual(first);
    expect(await sender.find(target, 'm-1', now())).toEqual(first);
    expect(await sender.find(sales, 'm-1', now())).toBeUndefined();
    expect((await shown('data')).filter((title) => title === 'Once')).toHaveLength(1);
  });

  it('replaces a message in place, twice without harm', async () => {
    const posted = await sender.post(sales, { card: card('Before') });

    await sender.update(posted, { card: card('After') });
    await sender.update(posted, { card: card('After') });

    expect(await shown('sales')).toContain('After');
    expect(await shown('sales')).not.toContain('Before');
  });

  it('writes to a person where only they look', async () => {
    await sender.post(ada, { card: card('For Ada') });

    expect(await shown('direct-ada', 'ada')).toEqual(['For Ada']);
    expect(await shown('direct-ada', 'bo')).toEqual([]);
    expect((await listed(fresh.db, 'bo')).map((one) => one.id)).toEqual(['sales', 'data', 'direct-bo']);
  });

  it('answers in a thread', async () => {
    const first = await sender.post(sales, { card: card('First') });

    const answer = await sender.post({ ...sales, thread: first.id }, { card: card('Detail') });

    expect(answer.conversation.thread).toBe(first.id);
    expect(await shown('sales')).not.toContain('Detail');
    expect((await message(fresh.db, 'bo', Number(first.id)))?.replies).toBe(1);
  });

  it.each([
    ['an unknown channel', { ...sales, id: 'nowhere' }],
    ['an unknown person', { ...ada, id: 'eve' }],
    ['another platform', { ...sales, platform: 'slack' as const }],
    ['an unknown thread', { ...sales, thread: '999999' }],
    ["a thread that can't be", { ...sales, thread: 'x; drop table' }],
  ])('says TARGET_GONE and what to do for %s', async (_, target) => {
    const error = await sender.post(target, { card: card('x') }).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(ActivateError);
    expect(error).toMatchObject({ code: 'TARGET_GONE', fix: expect.stringMatching(/\.$/) });
  });

  it('closes a channel that is no longer configured, and opens it again', async () => {
    const own = await freshDb();
    const both = createSender({ db: own.db, people, channels, now });
    await both.post(data, { card: card('Old news') });
    const fewer = createSender({
      db: own.db,
      people: people.slice(0, 1),
      channels: channels.slice(0, 1),
      now,
    });

    expect(await fewer.nameOf(data)).toBeUndefined();
    await expect(fewer.post(data, { card: card('x') })).rejects.toMatchObject({ code: 'TARGET_GONE' });
    await expect(fewer.post({ ...ada, id: 'bo' }, { card: card('x') })).rejects.toMatchObject({
      code: 'TARGET_GONE',
    });
    const again = createSender({ db: own.db, people, channels, now });
    expect(await again.nameOf(data)).toBe('#data-team');
    await own.close();
  });

  it('says TARGET_GONE when there is nothing to replace', async () => {
    await expect(
      sender.update({ conversation: sales, id: '424242' }, { card: card('x') }),
    ).rejects.toMatchObject({
      code: 'TARGET_GONE',
    });
    await expect(sender.update({ conversation: sales, id: 'x' }, { card: card('x') })).rejects.toMatchObject({
      code: 'TARGET_GONE',
    });
  });

  it('says UNAVAILABLE, and nothing is in doubt, when no database answers', async () => {
    const nowhere = createDb('postgres://127.0.0.1:1/x', { schema: 'activate', log: silentLog });
    const lost = createSender({ db: nowhere, people, channels, now });

    await expect(lost.post(sales, { card: card('x') })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await nowhere.close();
  });

  it('knows people by mail address in any case, and their time zone', async () => {
    expect(await sender.personByEmail(' ADA@example.com ')).toEqual(ada);
    expect(await sender.personByEmail('nobody@example.com')).toBeUndefined();
    expect(await sender.profile(ada)).toEqual({
      name: 'Ada Okafor',
      email: 'Ada@example.com',
      timeZone: 'Europe/Paris',
    });
    expect(await sender.profile({ ...ada, id: 'bo' })).toMatchObject({ timeZone: 'UTC' });
    expect(await sender.profile({ ...ada, platform: 'slack' })).toBeUndefined();
  });

  it('offers channels and people, the best match first', async () => {
    expect(await sender.channels('#da')).toEqual([{ value: 'local:data', label: '#data-team' }]);
    expect((await sender.channels('')).map((one) => one.label)).toEqual(['#sales', '#data-team']);
    expect((await sender.channels('local:sales')).map((one) => one.label)).toEqual(['#sales']);
    expect(await sender.people('bo')).toEqual([
      { value: 'local:@bo', label: 'Bo Lind', hint: 'bo@example.com' },
    ]);
  });

  it('keeps files with a message, and only for those who see it', async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const posted = await sender.post(ada, {
      card: card('File'),
      files: [{ name: 'rows.csv', type: 'text/csv', bytes }],
    });
    const [info] = (await message(fresh.db, 'ada', Number(posted.id)))?.files ?? [];

    expect(info).toMatchObject({ name: 'rows.csv', size: 3 });
    expect((await file(fresh.db, 'ada', info?.id ?? 0))?.bytes).toEqual(Buffer.from(bytes));
    expect(await file(fresh.db, 'bo', info?.id ?? 0)).toBeUndefined();
  });

  it('counts what a person has not seen, and mentions apart', async () => {
    const before = (await listed(fresh.db, 'bo')).find((one) => one.id === 'sales');
    const mention = { type: 'mention', name: 'Bo', person: { ...ada, id: 'bo' } } as const;
    const posted = await sender.post(sales, { card: card('Tagged', { type: 'text', text: [mention] }) });

    const after = (await listed(fresh.db, 'bo')).find((one) => one.id === 'sales');
    await markRead(fresh.db, 'bo', 'sales', Number(posted.id));
    await markRead(fresh.db, 'bo', 'sales', 1);

    expect(after).toMatchObject({ unread: (before?.unread ?? 0) + 1, mentions: 1 });
    expect((await listed(fresh.db, 'bo')).find((one) => one.id === 'sales')).toMatchObject({
      unread: 0,
      mentions: 0,
    });
    await dismiss(fresh.db, 'bo', Number(posted.id));
    expect(await message(fresh.db, 'bo', Number(posted.id))).toBeDefined();
  });
});

describe('groups', () => {
  it('are offered, and have those who are there as members', async () => {
    expect(await sender.groups?.('@cr')).toEqual([
      { value: 'local:&crew', label: '@crew', hint: '2 people' },
    ]);
    expect(await sender.groups?.('nothing')).toEqual([]);
    expect(await sender.members?.('crew')).toEqual([ada]);
    expect(await sender.members?.('nothing')).toEqual([]);
  });
});
