import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ConfigDocument, readDocument, writeDocument } from '../../engine/document/document.ts';
import { readSettings, writeSettings } from '../../engine/document/settings.ts';
import { alertSettings } from '../../engine/model/alert.ts';
import { audiencesSettings } from '../../engine/model/audiences.ts';
import { eventsSettings } from '../../engine/model/events.ts';
import { filesSettings } from '../../engine/model/files.ts';
import { mailSettings } from '../../engine/model/mail.ts';
import { objectsSettings } from '../../engine/model/objects.ts';
import { tasksSettings } from '../../engine/model/tasks.ts';
import { parseSchedule } from '../../engine/schedule/cron.ts';
import { parseSettings } from '../../engine/setup/index.ts';
import type { FrameworkId } from '../../engine/store/syncs.ts';
import { type FakeHttp, startFakeHttp } from '../fakes/http.ts';
import { headerOf, partOf, startSmtp } from '../fakes/smtp.ts';
import { startApp, type TestApp, waitForRun } from '../support/app.ts';
import { blocksIn, tableUnder } from './blocks.ts';

const examples = blocksIn('frameworks.md', 'yaml').map(({ text }) => readDocument(text));

/** The columns of a query as the examples write them: `select a, b from …`. */
function columnsOf(document: ConfigDocument, model: string): readonly string[] {
  const [, list = ''] = /^select (.+?) from /.exec(document.models[model]?.sql ?? '') ?? [];
  return list.split(', ');
}

/** What is the framework's in a declaration. */
function own(declared: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const shared = ['framework', 'model', 'destination', 'schedule', 'time_zone', 'report_to', 'paused'];
  return Object.fromEntries(Object.entries(declared).filter(([name]) => !shared.includes(name)));
}

describe('the examples of docs/frameworks.md', () => {
  it('are one for each framework', () => {
    const frameworks = examples.flatMap(({ alerts, syncs }) => [
      ...Object.keys(alerts).map(() => 'notify'),
      ...Object.values(syncs).map(({ framework }) => framework),
    ]);

    expect(frameworks).toEqual(['notify', 'mail', 'objects', 'events', 'audiences', 'files', 'tasks']);
  });

  it.each(examples.map((one) => [Object.keys({ ...one.alerts, ...one.syncs }).join(), one] as const))(
    '%s can be made',
    (_name, document) => {
      for (const alert of Object.values(document.alerts)) {
        const settings = readSettings('notify', own(alert), columnsOf(document, alert.model));
        expect(alertSettings.safeParse(settings).error).toBeUndefined();
        parseSchedule(alert.schedule, alert.time_zone);
      }
      for (const sync of Object.values(document.syncs)) {
        const settings = readSettings(sync.framework, own(sync), columnsOf(document, sync.model));
        const parsed = parseSettings(sync.framework, settings);
        expect(Object.keys(parsed)).toEqual(expect.arrayContaining(Object.keys(settings)));
        parseSchedule(sync.schedule, sync.time_zone);
      }
      expect(readDocument(writeDocument(document))).toEqual(document);
    },
  );
});

const schemas: Readonly<Record<FrameworkId, z.ZodObject>> = {
  notify: alertSettings,
  objects: objectsSettings,
  events: eventsSettings,
  audiences: audiencesSettings,
  files: filesSettings,
  tasks: tasksSettings,
  mail: mailSettings,
};

/** What a table of settings has to say: the name in a file, what holds when it is left out, and the choices. */
function rowsOf(
  framework: FrameworkId,
): readonly { name: string; usual: string; choices: readonly string[] }[] {
  return Object.entries(schemas[framework].shape).map(([camel, schema]) => {
    const unset = (schema as z.ZodType).safeParse(undefined);
    const inner = schema instanceof z.ZodDefault ? schema.unwrap() : schema;
    const choices = inner instanceof z.ZodEnum ? inner.options.map(String) : [];
    const name = camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!unset.success || unset.data === undefined) {
      return { name, usual: unset.success ? '' : 'required', choices };
    }
    const [[written = '', value] = []] = Object.entries(writeSettings(framework, { [camel]: unset.data }));
    return { name: written, usual: `\`${said(value)}\``, choices };
  });
}

function said(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

describe('the settings in docs/yaml.md', () => {
  it.each(Object.keys(schemas) as FrameworkId[])('of %s are those that there are', (framework) => {
    const table = tableUnder('yaml.md', framework === 'notify' ? 'Alerts' : framework);

    expect(table.map(([name, usual]) => ({ name, usual }))).toEqual(
      rowsOf(framework).map(({ name, usual }) => ({ name: `\`${name}\``, usual })),
    );
    for (const [at, { choices }] of rowsOf(framework).entries()) {
      for (const choice of choices) {
        expect(table[at]?.[2]).toContain(`\`${choice === '\t' ? '\\t' : choice.replace('|', '\\|')}\``);
      }
    }
  });

  it.each([
    ['syncs', 'sync'],
    ['alerts', 'alert'],
  ])('that all %s share have the defaults that are named', (kind) => {
    const defaults = Object.fromEntries(
      tableUnder('yaml.md', 'What alerts and syncs share').map(([name = '', usual]) => [
        name.replaceAll('`', ''),
        usual?.replaceAll('`', ''),
      ]),
    );
    const least = { model: 'm', schedule: 'every hour', framework: 'tasks', destination: 'd' };

    const read = readDocument(JSON.stringify({ [kind]: { x: least } }));
    const made = { ...read.alerts, ...read.syncs }['x'];

    expect(made).toMatchObject({ time_zone: defaults['time_zone'], paused: defaults['paused'] === 'true' });
    expect(Object.keys(defaults)).toEqual(expect.arrayContaining(Object.keys({ ...made })));
  });
});

describe('the file of docs/yaml.md', () => {
  const [whole = { text: '' }] = blocksIn('yaml.md', 'yaml');
  let t: TestApp;
  let far: FakeHttp<{ readonly rows: unknown[] }>;

  beforeAll(async () => {
    far = await startFakeHttp<{ readonly rows: unknown[] }>(
      { rows: [] },
      {
        'POST /hook': (request, { rows }) => {
          const { type, data } = request.json<{ type: string; data: unknown }>();
          rows.push(...(type === 'record.upsert' ? [data].flat() : []));
          return { json: {} };
        },
      },
    );
    t = await startApp();
    await t.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
    await t.warehouse.query(`insert into accounts values (1, 'Acme', 5, 'a@example.com')`);
    process.env['CONNECTION_HOOK_URL'] = `${far.url}/hook`;
    process.env['CONNECTION_HOOK_SECRET'] = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  });

  afterAll(async () => {
    delete process.env['CONNECTION_HOOK_URL'];
    delete process.env['CONNECTION_HOOK_SECRET'];
    await t.close();
    await far.close();
  });

  it('is planned, applied, and then changes nothing more', async () => {
    const { documents } = t.app.services;
    const actions = async (): Promise<Readonly<Record<string, string>>> =>
      Object.fromEntries(
        (await documents.plan(whole.text)).map(({ kind, name, action }) => [`${kind} ${name}`, action]),
      );

    const before = await actions();
    await documents.apply(whole.text, t.by);
    await waitForRun(t.app, 'accounts-to-hook');

    expect(before).toEqual({
      'source warehouse': 'none',
      'destination hook': 'create',
      'model accounts': 'create',
      'sync accounts-to-hook': 'create',
    });
    expect(new Set(Object.values(await actions()))).toEqual(new Set(['none']));
    expect(far.state.rows).toMatchObject([
      { key: '1', values: { email: 'a@example.com', name: 'Acme', seats: 5 } },
    ]);
  });

  it('reports where it is told to, and where it did before when it is not', async () => {
    const { documents, syncs } = t.app.services;
    const reports = async (): Promise<string | null> => (await syncs.show('accounts-to-hook')).sync.reportTo;
    const elsewhere = whole.text.replace(
      'schedule: every hour',
      'schedule: every hour\n    report_to: local:general',
    );

    await documents.apply(elsewhere, t.by);
    expect(await reports()).toBe('local:general');
    await documents.apply(whole.text.replace('every hour', 'every day at 5:00'), t.by);
    expect(await reports()).toBe('local:general');
    await expect(documents.plan(elsewhere.replace('local:general', 'somewhere'))).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
  });

  it('is what an export gives back, without a secret in it', async () => {
    const written = await t.app.services.documents.write('accounts-to-hook');

    expect(readDocument(written)).toMatchObject({
      models: { accounts: { source: 'warehouse', key: ['id'] } },
      syncs: { 'accounts-to-hook': { object: 'contacts', fields: { email: 'email' } } },
    });
    expect(written).toContain('{CONNECTION_HOOK_SECRET}');
    expect(written).not.toContain('whsec_');
    expect(written).not.toContain(far.url);
  });
});

describe('the file of docs/email.md', () => {
  it('writes to the person of a new row, once somebody has approved it', async () => {
    const [whole = { text: '' }] = blocksIn('email.md', 'yaml');
    const far = await startSmtp();
    const t = await startApp({ env: { PUBLIC_URL: 'https://activate.acme.example' } });
    process.env['CONNECTION_MAIL_SERVER_PASSWORD'] = far.password;
    try {
      await t.warehouse.query(
        'create table trials (workspace_id int primary key, workspace text, owner_name text, owner_email text, plan text)',
      );
      const here = whole.text
        .replace('smtp.example.com', '127.0.0.1')
        .replace('security: starttls', `security: none\n      port: ${far.port}`);

      await t.app.services.documents.apply(here, t.by);
      await waitForRun(t.app, 'mail-ending-trials');
      await t.warehouse.query(
        `insert into trials values (1, 'Northwind', '<b>Ann</b>', 'Ann@Northwind.example', 'Trial')`,
      );
      const held = await t.run('mail-ending-trials');
      await expect
        .poll(async () => JSON.stringify(await t.said('data-alerts')), { timeout: 10_000 })
        .toContain('Approve this run of mail-ending-trials?');
      const sent = await t.approve('mail-ending-trials');

      expect(held).toMatchObject({ state: 'held' });
      expect(sent).toMatchObject({ state: 'done', counts: { done: { sent: 1 } } });
      const [mail] = far.taken;
      expect(mail?.to).toEqual(['ann@northwind.example']);
      expect(mail && headerOf(mail, 'Subject')).toBe('Northwind: your trial is about to end');
      expect(mail && partOf(mail, 'text/plain')).toContain('Hello <b>Ann</b>,');
      expect(mail && partOf(mail, 'text/html')).toContain('Hello &lt;b&gt;Ann&lt;/b&gt;,');
      expect(mail && partOf(mail, 'text/html')).toContain('Acme Inc., 1 Main Street, Springfield');
    } finally {
      delete process.env['CONNECTION_MAIL_SERVER_PASSWORD'];
      await t.close();
      await far.close();
    }
  });
});
