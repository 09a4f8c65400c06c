import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import type { Caller } from '../../engine/contracts/command.ts';
import { readDocument } from '../../engine/document/document.ts';
import { type Installation, install } from '../bot/installation.ts';
import { blocksIn } from '../docs/blocks.ts';
import { metadataOf, model, v12 } from '../engine/dbt/manifests.ts';
import { type DbtState, platformHook, runResults, startDbtPlatform, type Told } from '../fakes/dbt.ts';
import { type FakeHttp, startFakeHttp } from '../fakes/http.ts';

const accounts = 'model.shop.accounts';
const secret = 'a-secret-of-the-dbt-platform';
const ci = `whsec_${randomBytes(32).toString('base64')}`;

const origin = {
  person: { kind: 'person', platform: 'cli', id: 'mia' },
  conversation: { kind: 'conversation', platform: 'cli', id: 'terminal' },
} as const;

let bot: Installation;
let platform: FakeHttp<DbtState>;
let folder: string;

beforeEach(async () => {
  platform = await startDbtPlatform();
  folder = await mkdtemp(join(tmpdir(), 'activate-dbt-'));
  bot = await install({
    ACTIVATE_ADMINS: 'ada@northwind.example',
    ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    ALLOWED_FOLDER: folder,
    PUBLIC_URL: 'https://bot.example.com',
  });
  await bot.connect(origin);
  await bot.warehouse.query('create schema marts');
  await bot.warehouse.query(
    'create table marts.accounts (id int primary key, name text, email text, seats int)',
  );
  await bot.warehouse.query("insert into marts.accounts values (1, 'Globex', 'ada@northwind.example', 12)");
  platform.state.runs.push({
    id: 501,
    job: 11,
    environment: 22,
    status: 10,
    artifacts: { 'manifest.json': v12(), 'run_results.json': runResults({ [accounts]: 'success' }) },
  });
});

afterEach(async () => {
  await bot.stop();
  await platform.close();
  await rm(folder, { recursive: true, force: true });
});

/** A command as a terminal gives it: a sentence, or what is wrong by field. */
async function say(command: string, input: Record<string, string>): Promise<unknown> {
  const reply = await dispatchOf(bot.running.app).run({ command, input }, origin);
  switch (reply.kind) {
    case 'form':
      return reply.form.errors;
    case 'card':
      return reply.card.title;
    default:
      return reply.note;
  }
}

const onPlatform = () =>
  say('dbt-connect', {
    name: 'shop',
    source: 'warehouse',
    place: 'platform',
    baseUrl: platform.url,
    account: '7001',
    job: '11',
    token: platform.state.token,
    webhook: secret,
  });

async function inFolder(written: unknown = v12()): Promise<unknown> {
  await writeFile(
    join(folder, 'manifest.json'),
    typeof written === 'string' ? written : JSON.stringify(written),
  );
  return say('dbt-connect', {
    name: 'shop',
    source: 'warehouse',
    place: 'file',
    path: 'manifest.json',
    webhook: ci,
  });
}

const newAlert = (more: Record<string, string> = {}) =>
  say('new-alert', {
    source: 'warehouse',
    table: 'dbt:shop/accounts',
    trigger: 'added',
    title: '{{ name }}',
    message: '{{ name }} has {{ seats }} seats',
    to: 'local:data-alerts',
    name: 'new-accounts',
    mode: 'message',
    schedule: 'after dbt',
    ...more,
  });

async function post(path: string, headers: Record<string, string>, body: string): Promise<number> {
  const answer = await fetch(`${bot.running.url}/hooks/dbt/${path}`, { method: 'POST', headers, body });
  await answer.text();
  return answer.status;
}

async function tell(told: Told): Promise<number> {
  const { headers, body } = platformHook(secret, told);
  return post('shop', headers, body);
}

/** As CI signs it, by the package that Standard Webhooks publishes. */
async function tellCi(
  results: unknown,
  more: { readonly at?: Date; readonly key?: string; readonly id?: string } = {},
) {
  const { at = new Date(), key = ci, id = `msg_${randomBytes(8).toString('hex')}` } = more;
  const body = JSON.stringify(results);
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(key).sign(id, at, body),
  };
  return post('shop', headers, body);
}

const query = <T>(sql: string, values: readonly unknown[] = []): Promise<T[]> =>
  bot.running.app.db.query<T>(sql, values);

/** Resolves once this is so; the worker looks about once a second. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (await holds()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`it did not come to this: ${what}`);
}

const runs = (cause: string) =>
  query<{ name: string }>(
    `select s.name from runs r join syncs s on s.id = r.sync_id where r.cause = $1 and r.state = 'done' order by r.id`,
    [cause],
  ).then((rows) => rows.map(({ name }) => name));

/** All that was told has been worked off. */
const worked = () =>
  until(
    'events are worked off',
    async () => (await query(`select 1 from dbt_events where state = 'new'`)).length === 0,
  );

async function notes(): Promise<readonly (string | null)[]> {
  return (await query<{ note: string | null }>('select note from dbt_events order by id')).map(
    ({ note }) => note,
  );
}

/** What was said in the channel that trouble is reported to. */
async function notices(): Promise<
  readonly { readonly title: string; readonly posted: boolean; readonly text: string }[]
> {
  const rows = await query<{ card: { title: string }; drawn: boolean }>(
    'select card, drawn from dbt_notices order by created_at',
  );
  return rows.map(({ card, drawn }) => ({ title: card.title, posted: drawn, text: JSON.stringify(card) }));
}

describe('a dbt project', () => {
  it('goes from its manifest over a form and a webhook to a run', async () => {
    expect(await onPlatform()).toBe('The dbt project shop is connected');
    expect(await newAlert()).toBe('new-accounts is on');
    await bot.ranOnce('new-accounts');
    const [sync] = await query<{ cron: string; next_due_at: Date | null }>(
      'select cron, next_due_at from syncs',
    );
    expect(sync).toEqual({ cron: 'after dbt', next_due_at: null });

    await bot.warehouse.query("insert into marts.accounts values (2, 'Initech', 'bo@northwind.example', 40)");
    expect(await tell({ runId: 501 })).toBe(200);

    await until('a run after dbt', async () => (await runs('dbt')).length === 1);
    const said = await query<{ card: string }>(
      `select card::text from local_messages where conversation_id = 'data-alerts' and card is not null`,
    );
    expect(said.map(({ card }) => card).filter((card) => card.includes('Initech has 40 seats'))).toHaveLength(
      1,
    );
    const [{ built_at: built } = { built_at: null }] = await query<{ built_at: Date | null }>(
      'select built_at from dbt_models',
    );
    expect(built).not.toBeNull();
    platform.expectNoUnexpected();
  });

  it('is not connected with a wrong token, and says what to do', async () => {
    platform.state.token = 'dbts_another';
    const reply = await dispatchOf(bot.running.app).run(
      {
        command: 'dbt-connect',
        input: {
          name: 'shop',
          source: 'warehouse',
          place: 'platform',
          baseUrl: platform.url,
          account: '7001',
          job: '11',
          token: 'dbts_0123456789abcdef',
        },
      },
      origin,
    );

    expect(JSON.stringify(reply)).toContain(
      'The dbt platform does not accept the key or token (status 401).',
    );
    expect(JSON.stringify(reply)).toContain('/activate dbt-connect');
    expect(JSON.stringify(reply)).not.toContain('dbts_0123456789abcdef');
    expect(await query('select 1 from dbt_projects')).toEqual([]);
  });

  it('warns of the target of a developer, and of another warehouse', async () => {
    await inFolder(v12({ metadata: metadataOf(12, { adapter_type: 'snowflake' }) }, { schema: 'dbt_alice' }));

    const [state] = await bot.running.app.services.dbt.list();

    expect(state?.warnings).toEqual([
      expect.stringContaining('Models are built in dbt_alice, which looks like a developer’s'),
      'The manifest is for snowflake, and the source is postgres: it may be of another warehouse.',
    ]);
  });

  it('keeps its last good manifest when the next one is damaged, and says so', async () => {
    await inFolder();
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(v12()).slice(0, 300));

    expect(await say('dbt-refresh', { project: 'shop' })).toBe('The manifest of shop could not be read');

    const [state] = await bot.running.app.services.dbt.list();
    expect(state?.models).toBe(1);
    expect(state?.project.trouble).toContain('damaged or cut short');
    await inFolder();
    expect(await say('dbt-refresh', { project: 'shop' })).toBe('The manifest of shop was read');
  });

  it('never goes back to an older manifest', async () => {
    await inFolder();
    const older = v12(
      { metadata: metadataOf(12, { generated_at: '2026-11-25T10:00:00Z' }) },
      { name: 'older' },
    );
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(older));

    await say('dbt-refresh', { project: 'shop' });

    expect(await query('select name from dbt_models')).toEqual([{ name: 'accounts' }]);
  });

  it('at an address of the web is asked for with its token, and not read twice', async () => {
    const answered: number[] = [];
    const web = await startFakeHttp(
      {},
      {
        'GET /dbt/manifest.json': ({ headers }) => {
          const status =
            headers['authorization'] !== 'Bearer artifacts-token-1'
              ? 401
              : headers['if-none-match'] === '"m1"'
                ? 304
                : 200;
          answered.push(status);
          const packed = gzipSync(JSON.stringify(v12()));
          return status === 200
            ? { headers: { etag: '"m1"', 'content-encoding': 'gzip' }, text: packed }
            : { status, text: '' };
        },
        'GET /moved.json': () => ({
          status: 302,
          headers: { location: `${platform.url}/manifest.json` },
          text: '',
        }),
      },
    );
    const connect = (path: string, token: string) =>
      say('dbt-connect', {
        name: 'shop',
        source: 'warehouse',
        place: 'url',
        url: `${web.url}${path}`,
        token,
      });

    expect(await connect('/dbt/manifest.json', 'artifacts-token-2')).not.toBe(
      'The dbt project shop is connected',
    );
    expect(await connect('/moved.json', 'artifacts-token-1')).not.toBe('The dbt project shop is connected');
    expect(await connect('/dbt/manifest.json', 'artifacts-token-1')).toBe(
      'The dbt project shop is connected',
    );
    await until('it is looked at again', async () => answered.includes(304));

    expect(await query('select name from dbt_models')).toEqual([{ name: 'accounts' }]);
    expect(answered).toEqual([401, 200, 304]);
    await web.close();
  });

  it('reads no file beyond the folder that an admin set free', async () => {
    const errors = await say('dbt-connect', {
      name: 'shop',
      source: 'warehouse',
      place: 'file',
      path: '../../etc/passwd',
    });

    expect(errors).toEqual({ path: 'There is no manifest at this path below the folder of ALLOWED_FOLDER.' });
  });
});

describe('models in forms', () => {
  it('are offered before tables, with owner, tags and description', async () => {
    await onPlatform();

    const offered = await dispatchOf(bot.running.app).options(
      'new-alert',
      'table',
      'acc',
      { source: 'warehouse' },
      origin,
    );

    expect(offered).toEqual([
      {
        value: 'dbt:shop/accounts',
        label: 'accounts (dbt)',
        hint: 'Ada Stone · #daily · One row per paying account.',
      },
      { value: 'marts.accounts', label: 'marts.accounts' },
    ]);
  });

  it('that are ephemeral, disabled or kept for others are not', async () => {
    const hidden = {
      'model.shop.inner': model({ name: 'inner', config: { materialized: 'ephemeral' }, relation: null }),
      'model.shop.private': model({ name: 'private', config: { meta: { activate: { enabled: false } } } }),
    };
    await inFolder(v12({ nodes: { ...v12().nodes, ...hidden } }));

    const offered = await bot.running.app.services.dbt.search('warehouse', '');

    expect(offered.map(({ value }) => value)).toEqual(['dbt:shop/accounts']);
  });

  it('give the key that their authors named', async () => {
    await bot.warehouse.query('alter table marts.accounts drop constraint accounts_pkey');
    await onPlatform();

    expect(await newAlert()).toBe('new-accounts is on');
    expect(await query('select key from models')).toEqual([{ key: ['id'] }]);
  });

  it('stay with an alert that is edited', async () => {
    await onPlatform();
    await newAlert();

    await say('edit', { alert: 'new-accounts', message: '{{ name }}' });

    const { services } = bot.running.app;
    expect(await services.alerts.show('new-accounts')).toMatchObject({
      dbt: 'shop/accounts',
      settings: { message: '{{ name }}' },
      sync: { cron: 'after dbt' },
    });
  });

  it('are needed for a schedule that goes by dbt', async () => {
    await onPlatform();

    const errors = await newAlert({ table: 'marts.accounts' });

    expect(errors).toMatchObject({ schedule: expect.stringContaining('No dbt model was chosen') });
  });
});

describe('a webhook of the dbt platform', () => {
  beforeEach(async () => {
    await onPlatform();
    expect(await newAlert()).toBe('new-accounts is on');
    await bot.ranOnce('new-accounts');
  });

  it('is refused when its signature is missing, another, or of another text', async () => {
    const { headers, body } = platformHook(secret, { runId: 501 });
    const signature = headers['authorization'] ?? '';

    expect(await post('shop', {}, body)).toBe(401);
    expect(await post('shop', { authorization: `Bearer ${signature}` }, body)).toBe(401);
    expect(await post('shop', { authorization: signature }, `${body} `)).toBe(401);
    expect(await post('shop', platformHook('another-secret-of-dbt', { runId: 501 }).headers, body)).toBe(401);
    expect(await post('other', headers, body)).toBe(401);
    expect(await query('select 1 from dbt_events')).toEqual([]);
  });

  it('is refused when it is an old one played again', async () => {
    const timestamp = new Date(Date.now() - 11 * 60_000).toISOString();

    expect(await tell({ runId: 501, timestamp })).toBe(401);
  });

  it('counts once however often it comes', async () => {
    const told = { runId: 501, eventId: 'wev_1' };

    expect(await Promise.all([tell(told), tell(told), tell(told)])).toEqual([200, 200, 200]);

    await worked();
    expect(await notes()).toEqual(['built 1, started new-accounts']);
  });

  it('starts nothing when its job failed, though it is called completed', async () => {
    platform.state.runs.push({
      id: 502,
      job: 11,
      environment: 22,
      status: 20,
      artifacts: { 'run_results.json': runResults({ [accounts]: 'success', 'model.shop.other': 'error' }) },
    });

    await tell({ runId: 502, runStatus: 'Errored' });
    await tell({ runId: 502, runStatus: 'Errored', eventType: 'job.run.errored' });
    await tell({ runId: 503, runStatus: 'Cancelled' });
    await worked();

    expect(await notes()).toEqual(['built 1, started nothing', 'the run was cancelled']);
  });

  it('starts nothing when the run did not build the model, or only compiled it', async () => {
    platform.state.runs.push(
      {
        id: 502,
        job: 11,
        environment: 22,
        status: 10,
        artifacts: {
          'manifest.json': v12(),
          'run_results.json': runResults({ 'model.shop.other': 'success' }),
        },
      },
      {
        id: 503,
        job: 11,
        environment: 22,
        status: 10,
        artifacts: {
          'manifest.json': v12(),
          'run_results.json': runResults({ [accounts]: 'success' }, { which: 'compile' }),
        },
      },
    );

    await tell({ runId: 502 });
    await tell({ runId: 503 });
    await worked();

    expect(await notes()).toEqual(['built 0, started nothing', 'built 0, started nothing']);
  });

  it('of a job with several steps is followed through all of them', async () => {
    platform.state.runs.push({
      id: 502,
      job: 12,
      environment: 22,
      status: 10,
      steps: [1, 4, 5],
      artifacts: {
        'run_results.json?step=4': runResults({ [accounts]: 'success' }, { which: 'run' }),
        'run_results.json?step=5': runResults(
          { 'test.shop.unique_accounts_id.1a2b3c': 'pass' },
          { which: 'test' },
        ),
      },
    });

    await tell({ runId: 502, jobId: 12 });
    await worked();

    expect(await notes()).toEqual(['built 1, started new-accounts']);
  });

  it('of another environment, as checks of pull requests have, starts nothing', async () => {
    await tell({ runId: 501, environmentId: 99, jobId: 40 });
    await worked();

    expect(await notes()).toEqual([expect.stringContaining('another environment')]);
  });

  it('is waited for when its artifacts lag behind', async () => {
    await tell({ runId: 777 });
    await until(
      'it was tried',
      async () => (await query('select 1 from dbt_events where attempts > 1')).length > 0,
    );
    platform.state.runs.push({
      id: 777,
      job: 11,
      environment: 22,
      status: 10,
      artifacts: { 'manifest.json': v12(), 'run_results.json': runResults({ [accounts]: 'success' }) },
    });

    await worked();

    expect(await notes()).toEqual(['built 1, started new-accounts']);
  });

  it('during a run starts once more after it', async () => {
    await query(
      `insert into runs (sync_id, due_at, cause, state, worker, lease_until) select id, now(), 'manual', 'reading', 'elsewhere', now() + interval '1 hour' from syncs`,
    );

    await tell({ runId: 501 });
    await tell({ runId: 501 });
    await worked();
    expect(await query('select 1 from dbt_starts')).toHaveLength(1);
    expect(await runs('dbt')).toEqual([]);
    await query(`update runs set state = 'done', finished_at = now() where worker = 'elsewhere'`);

    await until('a run after it', async () => (await runs('dbt')).length === 1);
    expect(await query('select 1 from dbt_starts')).toEqual([]);
  });

  it('whose tests failed asks in the channel, once, and takes it back when they pass', async () => {
    await query(`update syncs set report_to = 'local:data-alerts'`);
    const failing = { [accounts]: 'success', 'test.shop.unique_accounts_id.1a2b3c': 'fail' };
    platform.state.runs.push({
      id: 502,
      job: 11,
      environment: 22,
      status: 20,
      artifacts: { 'run_results.json': runResults(failing) },
    });

    await tell({ runId: 502, runStatus: 'Errored' });
    await tell({ runId: 502, runStatus: 'Errored' });
    await worked();
    await until('it is said', async () => (await notices())[0]?.posted === true);

    const [notice, ...others] = await notices();
    expect(others).toEqual([]);
    expect(notice?.title).toBe('new-accounts was not started: tests of its dbt model failed');
    expect(notice?.text).toContain('unique_accounts_id');
    expect(notice?.text).toContain('{"run":{"input":{"name":"new-accounts"},"command":"run"}');
    expect(await runs('dbt')).toEqual([]);

    await tell({ runId: 501 });
    await until('it is taken back', async () => (await notices())[0]?.title.includes('pass again') === true);
    await until('it runs', async () => (await runs('dbt')).length === 1);
    await until('the message shows it', async () => (await notices())[0]?.posted === true);
    const posts = await query<{ card: { title: string } }>(
      `select card from local_messages where conversation_id = 'data-alerts' and card->>'title' like 'new-accounts was%'`,
    );
    expect(posts.map(({ card }) => card.title)).toEqual([expect.stringContaining('pass again')]);
  });
});

describe('a run of dbt Core', () => {
  beforeEach(async () => {
    await inFolder();
    expect(await newAlert()).toBe('new-accounts is on');
    await bot.ranOnce('new-accounts');
  });

  it('is taken as Standard Webhooks signs it, once for each invocation', async () => {
    const results = runResults({ [accounts]: 'success' });

    expect(await tellCi(results)).toBe(200);
    expect(await tellCi(results)).toBe(200);

    await until('a run after dbt', async () => (await runs('dbt')).length === 1);
    expect(await notes()).toEqual(['built 1, started new-accounts']);
  });

  it('is refused unsigned, with another key, too old, or as the dbt platform signs', async () => {
    const results = runResults({ [accounts]: 'success' });
    const body = JSON.stringify(results);

    expect(await post('shop', {}, body)).toBe(401);
    expect(await tellCi(results, { key: `whsec_${randomBytes(32).toString('base64')}` })).toBe(401);
    expect(await tellCi(results, { at: new Date(Date.now() - 6 * 60_000) })).toBe(401);
    expect(
      await post('shop', { authorization: createHmac('sha256', ci).update(body).digest('hex') }, body),
    ).toBe(401);
  });

  it('is told what is wrong when it sends something else', async () => {
    expect(await tellCi({ metadata: {} })).toBe(400);
    expect(await tellCi(v12())).toBe(400);
  });

  it.each([
    ['sh', 'bash', (text: string) => ['-euo', 'pipefail', '-c', text]],
    ['python', 'python3', (text: string) => ['-c', `${text}\ntell_activate()`]],
  ] as const)('is told by what the guide has in %s', async (language, program, args) => {
    const [block] = blocksIn('dbt.md', language);
    await mkdir(join(folder, 'target'));
    await writeFile(
      join(folder, 'target', 'run_results.json'),
      JSON.stringify(runResults({ [accounts]: 'success' })),
    );

    await promisify(execFile)(program, args(block?.text ?? ''), {
      cwd: folder,
      env: { PATH: process.env['PATH'], ACTIVATE_SECRET: ci, ACTIVATE_URL: bot.running.url ?? '' },
    });

    await worked();
    expect(await notes()).toEqual(['built 1, started new-accounts']);
  });

  it('starts what was built though something else failed', async () => {
    await tellCi(runResults({ [accounts]: 'success', 'model.shop.other': 'error' }));

    await until('a run after dbt', async () => (await runs('dbt')).length === 1);
  });
});

describe('a change of the dbt project', () => {
  beforeEach(async () => {
    await inFolder();
    expect(await newAlert({ schedule: 'after dbt or every hour' })).toBe('new-accounts is on');
    await bot.ranOnce('new-accounts');
    await query(`update syncs set report_to = 'local:data-alerts'`);
  });

  const state = async (): Promise<string | undefined> =>
    (await query<{ state: string }>('select state from syncs'))[0]?.state;

  async function becomes(written: unknown): Promise<void> {
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(written));
    await say('dbt-refresh', { project: 'shop' });
  }

  it('that takes the model away pauses what reads it, says so once, and lets it go on when it is back', async () => {
    const renamed = v12({}, { name: 'customers' });

    await becomes(renamed);
    await becomes(renamed);

    expect(await state()).toBe('paused');
    await until('it is said', async () => (await notices())[0]?.posted === true);
    expect(await notices()).toEqual([
      expect.objectContaining({ title: 'new-accounts is paused: its dbt model has changed' }),
    ]);
    expect((await notices())[0]?.text).toContain('models/marts/customers.sql');

    await becomes(v12());

    expect(await state()).toBe('active');
    expect((await notices()).map(({ title }) => title)).toEqual(['new-accounts goes on']);
  });

  it.each([
    [
      'is disabled',
      v12({ nodes: {}, disabled: { [accounts]: [model({ config: { enabled: false } })] } }),
      'is disabled',
    ],
    ['is built elsewhere', v12({}, { relation: '"marts"."accounts_new"' }), 'accounts_new'],
    [
      'drops a column under contract',
      v12({}, { columns: ['id', 'name', 'email'], config: { contract: { enforced: true } } }),
      'seats',
    ],
  ])('by which the model %s pauses what reads it', async (_what, written, said) => {
    await becomes(written);

    expect(await state()).toBe('paused');
    expect((await notices())[0]?.text).toContain(said);
  });

  it('that drops a column from what is written down is said, and pauses once the warehouse has lost it', async () => {
    const without = v12({}, { columns: ['id', 'name', 'email'] });

    await becomes(without);
    expect(await state()).toBe('active');
    expect((await notices())[0]?.title).toBe('new-accounts: look at its dbt model');

    await bot.warehouse.query('alter table marts.accounts drop column seats');
    await becomes(without);
    expect(await state()).toBe('paused');
    expect((await notices()).map(({ title }) => title)).toEqual([
      'new-accounts is paused: its dbt model has changed',
    ]);
  });

  it('that adds a column, or drops one that nobody uses, is none', async () => {
    await becomes(v12({}, { columns: ['id', 'name', 'seats', 'plan'] }));

    expect(await state()).toBe('active');
    expect(await notices()).toEqual([]);
  });

  it('leaves what a person resumed alone', async () => {
    await becomes(v12({}, { name: 'customers' }));
    await say('resume', { name: 'new-accounts' });

    await becomes(v12({}, { name: 'customers' }));

    expect(await state()).toBe('active');
  });
});

describe('what reads a dbt project', () => {
  it('is written as exposures, the same each time', async () => {
    await onPlatform();
    await newAlert();

    const first = await say('dbt-exposures', { project: 'shop' });

    expect(first).toBe(`version: 2
exposures:
  - name: activate_new_accounts
    label: new-accounts
    type: application
    url: https://bot.example.com
    description: "An alert of Activate: when a row appears, it is said in #data-alerts."
    depends_on:
      - ref('accounts')
    owner:
      name: mia`);
    expect(await say('dbt-exposures', {})).toBe(first);
  });

  it('goes into a file and comes out of it', async () => {
    await onPlatform();
    await newAlert();
    const yaml = String(await say('export', {}));

    expect(yaml).toContain(`dbt:
  shop:
    source: warehouse
    from: platform`);
    expect(yaml).toContain(`token: \${CONNECTION_SHOP_DBT_TOKEN}`);
    expect(yaml).not.toContain(platform.state.token);
    expect(yaml).toContain('dbt: shop/accounts');
    expect(yaml).toContain('schedule: after dbt');
    const { services } = bot.running.app;
    expect((await services.documents.plan(yaml)).filter(({ action }) => action !== 'none')).toEqual([]);

    const by = { ...origin, ...(await bot.running.app.identify(origin.person)), platform: 'cli' } as Caller;
    const without = yaml
      .replace(/ +sql: .*\n/, '')
      .replace('schedule: after dbt', 'schedule: after dbt or daily at 9:00');
    const changed = await services.documents.apply(without, by);
    expect(changed.filter(({ action }) => action === 'update')).toMatchObject([
      { kind: 'alert', differences: [{ path: 'schedule', after: 'after dbt or 0 9 * * *' }] },
    ]);
  });
});

describe('a model that is too old', () => {
  it('is not sent, which is said once and can be overruled', async () => {
    await inFolder();
    await say('dbt-connect', {
      name: 'shop',
      source: 'warehouse',
      place: 'file',
      path: 'manifest.json',
      webhook: ci,
      staleHours: '6',
    });
    expect(await newAlert({ schedule: 'after dbt or every hour' })).toBe('new-accounts is on');
    await bot.ranOnce('new-accounts');
    await query(`update dbt_models set built_at = now() - interval '7 hours'`);

    await query(`update syncs set next_due_at = now()`);
    await until(
      'it failed',
      async () =>
        (await query(`select 1 from runs where state = 'failed' and error->>'code' = 'OUTDATED'`)).length ===
        1,
    );

    await say('retry', { name: 'new-accounts' });
    await until('it ran', async () => (await runs('retry')).length === 1);
  });
});

describe('a process that dies', () => {
  it('after it has answered starts the run all the same', async () => {
    await inFolder();
    expect(await newAlert()).toBe('new-accounts is on');
    await bot.ranOnce('new-accounts');
    const now = new Date();
    const about = JSON.stringify({ kind: 'results', results: [{ uniqueId: accounts, status: 'success' }] });
    // What the answer leaves behind, taken by a worker that is gone before it has done anything.
    await query(
      `insert into dbt_events (project_id, event_id, about, attempts, again_at, received_at)
       select id, 'inv-1', $1, 1, $2, $2 from dbt_projects`,
      [about, now],
    );

    await until('a run after dbt', async () => (await runs('dbt')).length === 1);
  });
});

describe('docs/dbt.md', () => {
  it('has a file that can be read', () => {
    const [block] = blocksIn('dbt.md', 'yaml');
    const { dbt, models } = readDocument(block?.text ?? '');

    expect(dbt['shop']?.from).toBe('platform');
    expect(models['accounts']?.dbt).toBe('shop/accounts');
  });
});
