import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mixpanel } from '../../connectors/mixpanel/index.ts';
import { webhook } from '../../connectors/webhook/index.ts';
import type { Event, Identifier } from '../../engine/contracts/destination.ts';
import { createHttp } from '../../engine/http.ts';
import { normaliser } from '../../engine/identity/normalise.ts';
import { parseSchedule } from '../../engine/schedule/cron.ts';
import { claimDue } from '../../engine/schedule/due.ts';
import type { Sync } from '../../engine/store/syncs.ts';
import { startFakeHttp } from '../fakes/http.ts';
import { startMixpanel } from '../fakes/mixpanel.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { call, openFor } from '../support/connect.ts';
import { silentLog } from '../support/log.ts';
import { failure } from '../support/memory.ts';
import { number, type Rig, startRig, text } from '../support/rig.ts';

// Mistakes that were found in the code of others, each with the proof that it is not made here.

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

const columns = [number('id'), text('mail'), text('name')];
const from = (column: string, nulls = 'send'): object => ({
  field: column,
  from: { type: 'column', column },
  nulls,
});
const records = (given: object = {}): Promise<Sync> =>
  rig.sync(
    'objects',
    { object: 'thing', mode: 'upsert', match: ['mail'], fields: [from('mail'), from('name')], ...given },
    { columns },
  );
const audience = (): Promise<Sync> =>
  rig.sync('audiences', { list: 'list', listName: 'List', identifiers: { EMAIL: 'mail' } }, { columns });
const rows = (...given: (readonly [number, string, string | null])[]): void => {
  rig.world.rows = given.map(([id, mail, name]) => [String(id), mail, name]);
};

describe('a row that is refused', () => {
  it('is not skipped for ever', async () => {
    const sync = await records();
    rows([1, 'a', 'Ann']);
    rig.world.trouble = () => ({ outcomes: [{ state: 'rejected', reason: 'Not now.' }] });
    await rig.run(sync);
    await rig.run(sync);
    rig.world.trouble = () => undefined;
    await rig.run(sync);

    expect([...rig.world.records.values()]).toEqual([{ mail: 'a', name: 'Ann' }]);
  });

  it('does not count as done because others of its batch were', async () => {
    const sync = await records();
    rows([1, 'a', 'Ann'], [2, 'b', 'Bob'], [3, 'c', 'Cid']);
    rig.world.trouble = () => ({ outcomes: [undefined, { state: 'rejected', reason: 'No.' }, undefined] });
    const run = await rig.run(sync);

    expect(run.counts).toMatchObject({
      done: { written: 2 },
      failed: 1,
      refusals: [{ reason: 'No.', count: 1, example: '2' }],
    });
  });
});

describe('a row that leaves', () => {
  it('takes its person off the list at the very next run', async () => {
    const sync = await audience();
    rows([1, 'a@x.example', null], [2, 'b@x.example', null]);
    await rig.run(sync);
    rows([1, 'a@x.example', null]);
    await rig.run(sync);

    expect([...rig.world.members]).toEqual(['EMAIL a@x.example']);
  });
});

describe('files', () => {
  it('are added to a folder: nothing in it is deleted or written over, however fast runs follow', async () => {
    rig.world.files.set('theirs.csv', { bytes: Buffer.from('theirs'), mark: 'theirs' });
    const sync = await rig.sync(
      'files',
      { content: 'full', path: '{{ date }}-{{ hh }}{{ min }}-{{ run }}.csv', format: 'csv' },
      { columns },
    );
    rows([1, 'a', null]);
    await rig.run(sync);
    await rig.run(sync);

    expect(rig.world.files.size).toBe(3);
    expect(rig.world.files.get('theirs.csv')?.bytes.toString()).toBe('theirs');
  });
});

describe('what people are recognised by', () => {
  const { identify } = normaliser(1);
  const email = (rule: Identifier['rule']): Identifier => ({
    name: 'EMAIL',
    label: 'E-mail',
    rule,
    hash: 'sha256',
  });
  const sha = (value: string): string => createHash('sha256').update(value).digest('hex');

  it('is trimmed and in small letters before it is hashed, and nothing is not hashed', () => {
    expect(identify(email('email'), ' Ann@X.Example ', {})).toEqual({ value: sha('ann@x.example') });
    for (const empty of [null, '', '  ']) {
      expect(identify(email('email'), empty, {})).toBeUndefined();
    }
  });

  it('keeps its dots, but where Google takes them away; what looks hashed is not passed through', () => {
    expect(identify(email('email-google'), 'a.nn@x.example', {})).toEqual({ value: sha('a.nn@x.example') });
    expect(identify(email('email-google'), 'a.nn@gmail.com', {})).toEqual({ value: sha('ann@gmail.com') });
    expect(identify(email('email'), sha('ann@x.example'), {})).toHaveProperty('unusable');
  });
});

describe('alerts', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startApp();
    await t.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
  });
  afterAll(() => t.close());

  it('are not lost when they could not be sent, are sent once, and find a channel that was renamed', async () => {
    const alert = await t.alert({ name: 'peers' });
    await t.warehouse.query("insert into accounts values (1, 'Acme', 3, '')");
    await t.db.query("update local_conversations set archived_at = now() where id = 'sales-pql'");
    await t.run(alert);
    expect(await t.said('sales-pql')).toEqual([]);

    await t.db.query(
      "update local_conversations set archived_at = null, name = 'renamed' where id = 'sales-pql'",
    );
    await t.run(alert);
    await t.run(alert);
    expect(await t.said('sales-pql')).toHaveLength(1);
  });

  it('are due once, however many schedulers look', async () => {
    await t.db.query("update syncs set next_due_at = '2100-01-01T00:00:00Z'");
    const claimed = await Promise.all(
      Array.from({ length: 8 }, () => claimDue(t.db, new Date('2100-01-01T00:00:01Z'))),
    );

    expect(claimed.flat()).toHaveLength(1);
  });
});

describe('tickets', () => {
  it('a row that recovers closes its own, and makes no second one', async () => {
    const sync = await rig.sync(
      'tasks',
      {
        project: 'project',
        projectName: 'Ops',
        title: '{{ name }}',
        body: '',
        removal: 'close',
        silentFirst: false,
      },
      { columns },
    );
    rows([1, 'a', 'Disk full'], [2, 'b', 'Other']);
    await rig.run(sync);
    rows([2, 'b', 'Other']);
    await rig.run(sync);

    const states = [...rig.world.tasks.values()].map(({ title, state }) => `${title}: ${state}`).sort();
    expect(states).toEqual(['Disk full: closed', 'Other: open']);
  });
});

describe('schedules', () => {
  it('that do not divide an hour are refused, and do not drift', () => {
    expect(() => parseSchedule('every 40 minutes', 'UTC')).toThrow(/does not divide an hour evenly/);
  });
});

describe('fields', () => {
  it('that are not mapped, or have nothing and are to be left alone, stay as they are', async () => {
    rig.world.records.set('["a"]', { mail: 'a', name: 'Ann', note: 'theirs' });
    const sync = await records({ fields: [from('mail'), from('name', 'keep')] });
    rows([1, 'a', null]);
    await rig.run(sync);

    expect(rig.world.records.get('["a"]')).toEqual({ mail: 'a', name: 'Ann', note: 'theirs' });
  });

  it('hold any text, as text', async () => {
    const sync = await records();
    const nasty = `'); drop table things; -- \\ "\n\t{{ 7 | times: 7 }} 😀`;
    rows([1, nasty, nasty]);
    await rig.run(sync);

    expect([...rig.world.records.values()]).toEqual([{ mail: nasty, name: nasty }]);
  });
});

describe('hosts', () => {
  it.each([
    'https://x.salesforce.com.evil.example/',
    'https://salesforce.com.evil.example/',
    'https://evilsalesforce.com/',
  ])('%s is not called', async (url) => {
    const http = createHttp({
      hosts: ['*.salesforce.com'],
      extra: [],
      privateHosts: [],
      secrets: [],
      log: silentLog,
      now: () => new Date(),
    });
    await expect(http.send({ method: 'GET', url })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await http.close();
  });
});

describe('what is sent twice', () => {
  it('carries the same ids, so that it counts once', async () => {
    const fake = await startMixpanel();
    const { username, secret, projectId } = fake.state;
    const opened = await openFor(
      mixpanel,
      { username, secret, projectId, region: 'us', baseUrl: fake.url },
      { now: () => fake.state.now },
    );
    const event: Event = {
      key: '1',
      id: 'f'.repeat(32),
      name: 'Trial ended',
      time: '2026-11-23T11:00:00.000000Z',
      person: { user_id: 'ann' },
      properties: {},
    };
    await opened.connection.events?.send([event], call());
    await opened.connection.events?.send([event], call({ again: true }));

    expect(fake.state.raw).toHaveLength(2);
    expect(fake.state.events.size).toBe(1);
    await opened.close();
    await fake.close();
  });

  it('and is signed over all of its rows', async () => {
    const secret = `whsec_${Buffer.from('a'.repeat(32)).toString('base64')}`;
    const fake = await startFakeHttp({}, { 'POST /hook': () => ({ json: {} }) });
    const opened = await openFor(webhook, { url: `${fake.url}/hook`, secret, rows: '10' });
    const items = ['a', 'b', 'c'].map((key) => ({ key, values: { mail: key } }));
    const batch = { object: 'things', operation: 'upsert', match: ['mail'], fields: [], items } as const;
    await opened.connection.objects?.write(batch, call());
    const [sent] = fake.requests;
    const whole = sent?.body.toString() ?? '';
    const headers = { ...sent?.headers };

    expect(whole).toContain('"c"');
    expect(() => new Webhook(secret).verify(whole, headers)).not.toThrow();
    expect(() => new Webhook(secret).verify(whole.replace('"c"', '"x"'), headers)).toThrow();
    await opened.close();
    await fake.close();
  });
});

describe('a list of rows', () => {
  it('is not sent anew from its beginning when the process dies in the middle', async () => {
    rig.world.limits = { rows: 1, concurrency: 1 };
    const sync = await records();
    rows([1, 'a', 'A'], [2, 'b', 'B'], [3, 'c', 'C']);
    let calls = 0;
    rig.world.trouble = () => {
      calls += 1;
      return calls === 3 ? { thrown: failure('AUTH_REJECTED') } : undefined;
    };
    await rig.run(sync);
    rig.world.trouble = () => undefined;
    await rig.run(sync);

    expect(rig.world.calls.map(({ keys }) => keys[0])).toEqual(['1', '2', '3', '3']);
  });
});
