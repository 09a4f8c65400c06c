import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { webhook } from '../../connectors/webhook/index.ts';
import type { Item, ObjectBatch } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract, type Harness } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from '../fakes/http.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const whsec = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
const secret = whsec(7);

interface Kept {
  /** By webhook-id: what a repeat is answered. */
  readonly answers: Map<string, Answer>;
  readonly rows: string[];
  readonly files: Map<string, string>;
}

interface Body {
  readonly type: string;
  readonly data: unknown;
}

/** A receiver that checks signatures, knows repeats by their id, and refuses rows that are `bad`. */
async function startReceiver(accepts = [secret]): Promise<FakeHttp<Kept>> {
  const once = (request: Received, kept: Kept, take: () => Answer): Answer => {
    const id = request.headers['webhook-id'] ?? '';
    const answer = kept.answers.get(id) ?? take();
    if ((answer.status ?? 200) < 300) {
      kept.answers.set(id, answer);
    }
    return answer;
  };
  return startFakeHttp<Kept>(
    { answers: new Map(), rows: [], files: new Map() },
    {
      'POST /hooks/s3cret-path': (request, kept) =>
        once(request, kept, () => {
          const { type, data, ...about } = request.json<Body>();
          if (type === 'ping') {
            return { json: {} };
          }
          const rows = [data].flat() as Record<string, unknown>[];
          const bad = rows.filter((row) => JSON.stringify(row).includes('refuse me'));
          if (bad.length > 0 && !Array.isArray(data)) {
            return { status: 422, json: { error: `Nobody takes ${JSON.stringify(data)}` } };
          }
          kept.rows.push(
            ...rows
              .filter((row) => !bad.includes(row))
              .map(({ id, ...row }) => JSON.stringify({ type, ...about, ...row })),
          );
          const results = rows.map(({ key }, at) =>
            bad.includes(rows[at] ?? {})
              ? { key, status: 422, error: 'Not this one.' }
              : { key, status: 200 },
          );
          return { json: Array.isArray(data) ? { results } : {} };
        }),
      'PUT /hooks/s3cret-path/*': (request, kept) =>
        once(request, kept, () => {
          const path = request.params['rest'] ?? '';
          if (request.headers['if-none-match'] === '*' && kept.files.has(path)) {
            return { status: 412 };
          }
          kept.files.set(path, request.body.toString());
          return { json: {} };
        }),
    },
    (request) => (accepts.some((one) => verifies(one, request)) ? undefined : { status: 401 }),
  );
}

function verifies(one: string, { body, headers }: Received): boolean {
  try {
    // Files need not be JSON, which `verify` reads; so it is asked for the signature alone.
    const at = new Date(Number(headers['webhook-timestamp']) * 1000);
    const wanted = new Webhook(one).sign(headers['webhook-id'] ?? '', at, body.toString());
    return (headers['webhook-signature'] ?? '').split(' ').includes(wanted);
  } catch {
    return false;
  }
}

const item = (n: number, bad?: number): Item => ({
  key: `k${n}`,
  values: { email: `p${n}@x.example`, note: n === bad ? 'refuse me' : 'fine' },
});
const several = <T>(n: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: n }, (_, i) => make(i));
const batchOf = (operation: ObjectBatch['operation'], items: readonly Item[]): ObjectBatch => ({
  object: 'contacts',
  operation,
  match: ['email'],
  fields: ['email', 'note'].map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
  items,
});

function harness(rows: Raw): Harness {
  return {
    connector: webhook,
    renewsToken: false,
    start: async () => {
      const fake = await startReceiver();
      const config = { url: `${fake.url}/hooks/s3cret-path`, secret, ...rows };
      return {
        fake,
        config,
        wrongConfig: { ...config, secret: whsec(8) },
        stored: () => ({ rows: fake.state.rows, files: [...fake.state.files] }),
      };
    },
    parts: {
      objects: {
        upsert: (n, bad) =>
          batchOf(
            'upsert',
            several(n, (i) => item(i, bad)),
          ),
        delete: (n, bad) =>
          batchOf(
            'delete',
            several(n, (i) => item(i, bad)),
          ),
      },
      events: (n, bad) =>
        several(n, (i) => ({
          key: `k${i}`,
          id: createHash('md5').update(String(i)).digest('hex'),
          name: 'Trial ended',
          time: '2026-11-23T12:00:00.123456Z',
          person: { email: `p${i}@x.example` },
          properties: { note: i === bad ? 'refuse me' : 'fine', big: '9007199254740993' },
        })),
      audiences: {
        list: 'trial-users',
        members: (n, bad) =>
          several(n, (i) => ({
            key: `k${i}`,
            identifiers: { email: i === bad ? 'refuse me' : `p${i}@x.example` },
            traits: {},
          })),
      },
      files: (n) =>
        several(n, (i) => ({
          path: `exports/2026 ü/file-${i}.csv`,
          contentType: 'text/csv',
          mark: `mark${i}`,
          overwrite: true,
          bytes: Buffer.from(`id,name\n${i},Ünï\n`),
        })),
      tasks: (n, bad) =>
        several(n, (i) => ({
          mark: `mark${i}`,
          project: 'ops',
          title: i === bad ? 'refuse me' : `Task ${i}`,
          body: 'Line one\nLine two',
          due: '2026-12-01',
          fields: {},
        })),
      notify: (n) =>
        several(n, (i) => ({
          mark: `mark${i}`,
          title: `Notice ${i}`,
          text: 'Text',
          facts: [],
          update: false,
        })),
    },
    skip: {
      'objects kinds': 'any name is a kind, and kinds have no fields of their own.',
      'files unreadable': 'a 2xx is all there is to know of a file.',
      'notify unreadable': 'a 2xx is all there is to know of a message.',
      'files stat': 'a receiver takes files and is not asked for them.',
      'tasks find': 'a receiver is not asked; it knows a repeat by its id.',
      'tasks life': 'a receiver is told of changes and not asked for states.',
      'tasks gone': 'a receiver is not asked for states.',
    },
  };
}

destinationContract('webhook, a row per request', harness({}));
destinationContract('webhook, lists of rows', harness({ rows: '10' }));

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function connected(more: Raw = {}, accepts = [secret]): Promise<Opened & { fake: FakeHttp<Kept> }> {
  const fake = await startReceiver(accepts);
  const opened = await openFor(webhook, { url: `${fake.url}/hooks/s3cret-path`, secret, ...more });
  open.push(opened, fake);
  return { ...opened, fake };
}

const two = batchOf('upsert', [item(0), item(1)]);

describe('the signature', () => {
  it('covers the very bytes of the whole list', async () => {
    const { connection, fake } = await connected({ rows: '10' });

    await partOf(connection, 'objects').write(two, call());

    const [request] = fake.requests;
    const body = request?.body.toString() ?? '';
    expect(new Webhook(secret).verify(body, { ...request?.headers })).toMatchObject({
      type: 'record.upsert',
      object: 'contacts',
      match: ['email'],
      data: [{ key: 'k0' }, { key: 'k1' }],
    });
    expect(() => new Webhook(secret).verify(body.replace('k1', 'k2'), { ...request?.headers })).toThrow();
  });

  it.each([
    ['old', whsec(1)],
    ['new', secret],
  ])('is known to a receiver that has only the %s secret while they change', async (_name, known) => {
    const { connection } = await connected({ oldSecret: whsec(1) }, [known]);

    expect(await connection.check('objects')).toEqual([]);
  });

  it('is asked for with a ping, whose refusal by 400 is about the secret too', async () => {
    const { connection, fake } = await connected();
    fake.next({ status: 400, json: { error: 'bad signature' } });

    await expect(connection.check('events')).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      fix: expect.stringContaining('signing secret'),
    });
    expect(fake.requests[0]?.json()).toEqual({ type: 'ping', data: { use: 'events' } });
  });
});

describe('the id', () => {
  const idOf = ({ headers }: Received): string => headers['webhook-id'] ?? '';

  it('is the same for the same rows of a run, and another for other rows, verbs and runs', async () => {
    const { connection, fake } = await connected({ rows: '10' });
    const { write } = partOf(connection, 'objects');

    await write(two, call());
    await write(two, call({ again: true }));
    await write({ ...two, operation: 'delete' }, call());
    await write({ ...two, items: [item(0)] }, call());
    await write({ ...two, items: [item(0), { ...item(1), values: { email: 'other' } }] }, call());
    await write(two, call({ run: 'run-2' }));

    const [first, again, ...others] = fake.requests.map(idOf);
    expect(again).toBe(first);
    expect(new Set([first, ...others]).size).toBe(5);
    expect(fake.requests.every(({ headers }) => headers['idempotency-key'] === headers['webhook-id'])).toBe(
      true,
    );
    expect(first).toMatch(/^act_[0-9a-f]{32}$/);
  });

  it('is the same for an event in every run', async () => {
    const { connection, fake } = await connected();
    const events = [
      { key: 'k', id: 'ab'.repeat(16), name: 'x', time: '2026-11-23T12:00:00Z', person: {}, properties: {} },
    ];

    await partOf(connection, 'events').send(events, call());
    await partOf(connection, 'events').send(events, call({ run: 'run-2' }));

    expect(fake.requests.map(idOf)).toEqual([`act_${'ab'.repeat(16)}`, `act_${'ab'.repeat(16)}`]);
    expect(fake.state.rows).toHaveLength(1);
  });

  it('lets a task be closed, opened and closed again', async () => {
    const { connection, fake } = await connected();
    const tasks = partOf(connection, 'tasks');
    const { signal } = call();

    await tasks.close('7', signal);
    await tasks.reopen('7', signal);
    await tasks.close('7', signal);

    expect(fake.state.rows.map((row) => JSON.parse(row).type)).toEqual([
      'task.closed',
      'task.reopened',
      'task.closed',
    ]);
  });
});

describe('what a receiver answers', () => {
  it('is for each row what it says of it, and unknown where it says nothing', async () => {
    const { connection, fake } = await connected({ rows: '10' });
    const results = [
      { key: 'k3', status: 503 },
      { key: 'k1', status: 422, error: 'p1@x.example is no address' },
      { key: 'k0', status: 201, id: 42, url: 'https://crm.example/42' },
      { key: 'k4', error: 'No' },
      { key: 'other', status: 200 },
    ];
    fake.next({ status: 207, json: { results } });

    const outcomes = await partOf(connection, 'objects').write(
      batchOf(
        'upsert',
        several(5, (i) => item(i)),
      ),
      call(),
    );

    expect(outcomes).toEqual([
      { state: 'ok', id: '42', url: 'https://crm.example/42' },
      { state: 'rejected', reason: '… is no address' },
      { state: 'unknown', reason: 'The receiver does not say what became of this row.' },
      { state: 'retry', reason: 'The receiver does not say why.' },
      { state: 'rejected', reason: 'No' },
    ]);
  });

  it.each([
    [{ status: 204 }],
    [{ text: 'OK' }],
    [{ json: { results: 3 } }],
    [{ json: { results: [{ name: 'of something else' }] } }],
  ])('is a yes to all of them with %j', async (answer: Answer) => {
    const { connection, fake } = await connected({ rows: '10' });
    fake.next(answer);

    expect(await partOf(connection, 'objects').write(two, call())).toEqual([
      { state: 'ok' },
      { state: 'ok' },
    ]);
  });

  it.each([
    [{ status: 302, headers: { location: 'http://127.0.0.1/elsewhere' } }, 'CONFIG_INVALID'],
    [{ status: 410 }, 'TARGET_GONE'],
    [{ status: 404 }, 'NOT_FOUND'],
    [{ status: 403 }, 'PERMISSION_DENIED'],
    [{ status: 413 }, 'ROW_REJECTED'],
    [{ status: 425 }, 'UNAVAILABLE'],
    [{ status: 504 }, 'OUTCOME_UNKNOWN'],
    [{ status: 207, text: 'no JSON' }, 'OUTCOME_UNKNOWN'],
  ])('means with %j: %s', async (answer: Answer, code) => {
    const { connection, fake } = await connected({ rows: '10' });
    fake.next(answer);

    await expect(partOf(connection, 'objects').write(two, call())).rejects.toMatchObject({ code });
    expect(fake.requests).toHaveLength(1);
  });

  it('names the task that was made', async () => {
    const { connection, fake } = await connected();
    const { create } = partOf(connection, 'tasks');
    const task = { mark: 'm1', project: 'ops', title: 'Call back', body: '', fields: {} };
    fake.next(
      { json: { id: 7, url: 'https://desk.example/7' } },
      { json: { id: 7, url: 'javascript:alert(1)' } },
    );

    expect(await create(task, call().signal)).toEqual({ id: '7', url: 'https://desk.example/7' });
    expect(await create(task, call().signal)).toEqual({ id: 'm1', url: fake.url });
  });
});

describe('a file', () => {
  it('is put below the address with its digest, and not over another one', async () => {
    const { connection, fake } = await connected({ headers: 'X-Team: growth' });
    const files = partOf(connection, 'files');
    const bytes = Buffer.from('a\n1\n');
    const body = async function* () {
      yield bytes;
    };
    const file = { path: 'a b/ü.csv', contentType: 'text/csv', mark: 'm1', overwrite: false };

    expect(await files.put(file, body, call())).toEqual({ bytes: 4 });
    await expect(files.put({ ...file, mark: 'm2' }, body, call())).rejects.toMatchObject({ code: 'EXISTS' });

    expect(fake.requests[0]).toMatchObject({
      path: '/hooks/s3cret-path/a%20b/%C3%BC.csv',
      headers: {
        'content-length': '4',
        'content-type': 'text/csv',
        'content-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
        'x-team': 'growth',
      },
    });
    expect(files.locate(file.path)).not.toContain('s3cret');
  });
});

describe('the form', () => {
  it.each([
    ['url', { url: 'ftp://x.example/pa55word' }],
    ['url', { url: 'https://user:pa55word@x.example/' }],
    ['secret', { secret: 'pa55word' }],
    ['secret', { secret: `whsec_${Buffer.from('pa55word').toString('base64')}` }],
    ['oldSecret', { oldSecret: 'whsec_pa55word' }],
    ['headers', { headers: 'Webhook-Id: pa55word' }],
    ['headers', { headers: 'Host: pa55word' }],
    ['headers', { headers: '{"Content-Length": "pa55word"}' }],
    ['headers', { headers: '{"pa55word": ' }],
    ['headers', { headers: 'pa55word' }],
    ['headers', { headers: 'X-Emoji: pa55word 🙂' }],
  ])('says what is wrong with %s, and does not repeat it: %j', async (name, typed: Raw) => {
    const error: unknown = await connected(typed).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      fix: expect.any(String),
      fields: { [name]: expect.any(String) },
    });
    expect(JSON.stringify(error) + String(error)).not.toContain('pa55word');
  });

  it('takes several headers as JSON, and no line breaks within them', async () => {
    const { connection, fake } = await connected({
      headers: '{"X-Team": "growth\\r\\nX-Evil: 1", "X-N": 2}',
    });

    await connection.check('notify');

    expect(fake.requests[0]?.headers).toMatchObject({ 'x-team': 'growth X-Evil: 1', 'x-n': '2' });
    expect(fake.requests[0]?.headers).not.toHaveProperty('x-evil');
  });
});
