import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import type { Dispatch, Origin, Reply } from '../../engine/contracts/chat.ts';
import { verifyAudit, writeAudit } from '../../engine/store/audit.ts';
import { startApp, type TestApp } from '../support/app.ts';

let app: TestApp;
let dispatch: Dispatch;
let admin: Origin;

beforeAll(async () => {
  app = await startApp({ worker: false });
  dispatch = dispatchOf(app.app);
  admin = { person: app.by.person, conversation: app.by.conversation };
  await app.db.transaction((sql) =>
    writeAudit(sql, {
      at: new Date('2026-03-01T10:00:00Z'),
      kind: 'change',
      personId: Number(app.by.id),
      person: app.by.name,
      command: 'edit-sync',
      subject: 'contacts-to-crm',
      input: { sync: 'contacts-to-crm', note: 'asked by mia@northwind.example' },
      before: { settings: { mode: 'upsert' }, cron: '0 * * * *' },
      after: { settings: { mode: 'mirror' }, cron: '0 * * * *' },
      origin: admin,
      outcome: 'ok',
    }),
  );
});

afterAll(() => app.close());

function cardOf(reply: Reply): Extract<Reply, { kind: 'card' }> {
  expect(reply.kind).toBe('card');
  return reply as Extract<Reply, { kind: 'card' }>;
}

async function as(role: string): Promise<Origin> {
  const origin: Origin = { ...admin, person: { ...admin.person, id: 'mia' } };
  const { id } = await app.app.identify(origin.person);
  await app.db.query('update people set role = $2 where id = $1', [Number(id), role]);
  return origin;
}

/** The lines of the file, read. */
function linesOf(reply: Reply): readonly Record<string, unknown>[] {
  const [file] = cardOf(reply).files ?? [];
  return Buffer.from(file?.bytes ?? [])
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('audit', () => {
  it('shows who changed what, from what, to what', async () => {
    const { card, data } = cardOf(await dispatch.typed('audit contacts-to-crm', admin));

    const said = JSON.stringify(card);
    expect(card.title).toBe('1 entry about contacts-to-crm');
    expect(said).toMatch(/1 Mar, 11:00:00.*edit-sync/);
    expect(said).toContain(app.by.name);
    expect(said).toContain('settings.mode');
    expect(said).toContain('upsert → mirror');
    expect(said).not.toContain('0 * * * *');
    expect(said).not.toContain('mia@northwind');
    expect(data).toMatchObject({ total: 1, entries: [{ subject: 'contacts-to-crm' }] });
  });

  it('notes what is typed, with its name and where its button was', async () => {
    const message = { conversation: admin.conversation, id: '17.1' };

    await dispatch.run({ command: 'show', input: { name: 'nothing-like-it' } }, { ...admin, message });

    const { data } = cardOf(await dispatch.typed('audit nothing-like-it', admin));
    expect(data).toMatchObject({
      entries: [{ kind: 'command', command: 'show', outcome: 'NOT_FOUND', origin: { ...admin, message } }],
    });
  });

  it('tells what was connected, without what is secret', async () => {
    const { data } = cardOf(await dispatch.typed('audit warehouse', admin));

    expect(data).toMatchObject({
      entries: [
        {
          kind: 'change',
          before: null,
          after: { kind: 'source', connector: 'postgres' },
        },
      ],
    });
    expect(JSON.stringify(data)).not.toContain('postgres://');
  });

  it('offers the names that it knows', async () => {
    expect(await dispatch.options('audit', 'name', '-CRM', {}, admin)).toEqual([
      { value: 'contacts-to-crm', label: 'contacts-to-crm' },
    ]);
  });

  it('exports all of it, or what is about one thing, a line of JSON each', async () => {
    const one = linesOf(await dispatch.typed('audit contacts-to-crm as=ndjson', admin));
    expect(new Set(one.map(({ subject }) => subject))).toEqual(new Set(['contacts-to-crm']));
    expect(one.at(-1)).toMatchObject({ command: 'edit-sync', before: { settings: { mode: 'upsert' } } });

    const all = linesOf(await dispatch.typed('audit', admin));
    expect(all.length).toBe((await verifyAudit(app.db)).count - 1);
    expect(all.map(({ id }) => id)).toEqual(all.map((_, at) => all.length - at));

    const older = linesOf(await dispatch.typed('audit before=3', admin));
    expect(older.map(({ id }) => id)).toEqual([2, 1]);
  });

  it('exports the newest 50,000 entries, and says so in the message and in the file', async () => {
    const { services } = app.app;
    const { rows } = await services.audit.entries('contacts-to-crm', 1);
    const entries: typeof services.audit.entries = async (_about, limit) => ({
      rows: Array.from({ length: limit }, (_, at) => ({
        ...(rows[0] as (typeof rows)[number]),
        id: 60_000 - at,
      })),
      total: 60_000,
    });
    const full = dispatchOf({ ...app.app, services: { ...services, audit: { ...services.audit, entries } } });

    const reply = await full.typed('audit', admin);

    const lines = linesOf(reply);
    expect(lines).toHaveLength(50_001);
    expect(lines.at(-1)).toEqual({
      cut: 'The newest 50,000 of 60,000 entries. Older ones: audit as=ndjson before=10001',
    });
    expect(JSON.stringify(cardOf(reply).card)).toContain('The newest 50,000 of 60,000');
  });

  it('shows entries to an approver, who is not offered the file and does not get it', async () => {
    const approver = await as('approver');

    expect(JSON.stringify(await dispatch.typed('audit contacts-to-crm', admin))).toContain('As a file');
    expect(JSON.stringify(await dispatch.typed('audit contacts-to-crm', approver))).not.toContain(
      'As a file',
    );
    for (const line of ['audit', 'audit contacts-to-crm as=ndjson']) {
      const reply = cardOf(await dispatch.typed(line, approver));
      expect(reply.files).toBeUndefined();
      expect(JSON.stringify(reply.card)).toContain('needs the role admin');
    }
    const [last] = await app.db.query('select kind, outcome from audit order by id desc limit 1');
    expect(last).toEqual({ kind: 'refusal', outcome: 'NOT_ALLOWED' });
  });

  it('shows nothing to an editor', async () => {
    const reply = cardOf(await dispatch.typed('audit contacts-to-crm', await as('editor')));

    expect(reply.card.title).toBe('You may not do that');
    const [last] = await app.db.query('select kind, outcome, subject from audit order by id desc limit 1');
    expect(last).toEqual({ kind: 'refusal', outcome: 'refused', subject: 'contacts-to-crm' });
  });
});

describe('audit verify', () => {
  const launcher = fileURLToPath(new URL('../../bot/activate.mjs', import.meta.url));

  /** In a terminal, as data. */
  function inTerminal(...argv: readonly string[]): Promise<{ code: number | null; out: string }> {
    const env = { PATH: process.env['PATH'] ?? '', DATABASE_URL: app.url, SECRET_KEY: 'k'.repeat(32) };
    return new Promise((resolve, reject) => {
      const child = spawn(launcher, argv, { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, out }));
    });
  }

  it('says that the log holds, in chat and in a terminal', async () => {
    const before = await verifyAudit(app.db);

    const { card } = cardOf(await dispatch.typed('audit verify', admin));
    expect(card).toMatchObject({ title: 'The audit log holds', tone: 'good' });
    expect(JSON.stringify(card)).toContain(before.head);

    const { code, out } = await inTerminal('audit', 'verify', `expect=${before.head}`, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ holds: true, count: before.count + 1 });
  });

  it('ends with an exit code when a head is not there', async () => {
    const { code, out } = await inTerminal('audit', 'verify', `expect=${'a'.repeat(64)}`, '--json');

    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      holds: false,
      broken: { what: expect.stringContaining('cut off') },
    });
  });

  it('prints the file in a terminal', async () => {
    const { code, out } = await inTerminal('audit', 'contacts-to-crm', '--as', 'ndjson');

    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(lines.map(({ subject }) => subject)).toContain('contacts-to-crm');
  });

  it('says which entry was tampered with', async () => {
    await app.db.query('alter table audit disable trigger user');
    await app.db.query(`update audit set person = 'Somebody else' where id = 2`);

    const { card } = cardOf(await dispatch.typed('audit verify', admin));

    expect(card).toMatchObject({ title: 'The audit log was tampered with', tone: 'bad' });
    expect(JSON.stringify(card)).toContain('Entry 2: it is not as it was written.');
    expect((await inTerminal('audit', 'verify')).code).toBe(1);
  });
});
