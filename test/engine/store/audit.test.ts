import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../../engine/contracts/db.ts';
import {
  type AuditEntry,
  auditEntries,
  auditLine,
  auditRun,
  isWorthAuditing,
  verifyAudit,
  writeAudit,
} from '../../../engine/store/audit.ts';
import { createDb } from '../../../engine/store/db.ts';
import { migrate } from '../../../engine/store/migrate.ts';
import type { Run } from '../../../engine/store/runs.ts';
import type { Sync } from '../../../engine/store/syncs.ts';
import { silentLog } from '../../support/log.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

let own: FreshDb;

beforeAll(async () => {
  own = await freshDb();
});
afterAll(() => own.close());
beforeEach(() => behindTheBack('delete from audit'));

/** What somebody can do who has the database in hand. */
function behindTheBack(...statements: readonly string[]): Promise<void> {
  return own.db.transaction(async (sql) => {
    await sql.query('alter table audit disable trigger user');
    for (const statement of statements) {
      await sql.query(statement);
    }
    await sql.query('alter table audit enable trigger user');
  });
}

const place = { kind: 'conversation', platform: 'slack', id: 'C1' } as const;
const mia = { kind: 'person', platform: 'slack', id: 'U1' } as const;

function entry(more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    at: new Date('2026-03-01T10:00:00.123Z'),
    kind: 'decision',
    personId: 7,
    person: 'Mia Lopez',
    command: 'approve',
    subject: 'contacts-to-crm',
    input: { run: '12', note: 'ok, "go"\n' },
    before: { state: 'held', share: 0.25 },
    after: { state: 'approved', at: new Date('2026-03-01T10:00:00Z') },
    origin: { person: mia, conversation: place, message: { conversation: place, id: '17.1' } },
    outcome: 'ok',
    ...more,
  };
}

function add(...entries: readonly Partial<AuditEntry>[]): Promise<void> {
  return own.db.transaction(async (sql) => {
    for (const one of entries) {
      await writeAudit(sql, entry(one));
    }
  });
}

describe('the audit log', () => {
  it('keeps what was written, each entry tied to the one before', async () => {
    await add({}, { command: 'reject', personId: null, subject: null, before: undefined, origin: null });

    const { rows, total } = await auditEntries(own.db, undefined, 10);

    expect(total).toBe(2);
    expect(rows[1]).toMatchObject({
      ...entry(),
      id: 1,
      previous: '0'.repeat(64),
      after: { state: 'approved', at: '2026-03-01T10:00:00.000Z' },
    });
    expect(rows[0]).toMatchObject({ id: 2, subject: null, before: null, origin: null });
    expect(rows[0]?.previous).toBe(rows[1]?.hash);
    expect(await verifyAudit(own.db)).toEqual({ count: 2, head: rows[0]?.hash, broken: undefined });
  });

  it('holds when it is empty', async () => {
    expect(await verifyAudit(own.db)).toEqual({ count: 0, head: '0'.repeat(64), broken: undefined });
  });

  it('holds whatever anybody types', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({
        unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
        maxLength: 5,
      }),
    );
    await fc.assert(
      fc.asyncProperty(text, fc.dictionary(text, text), fc.jsonValue(), async (word, input, value) => {
        await add({
          person: word,
          subject: word,
          outcome: word,
          input,
          before: value,
          after: [value, 10n ** 20n],
        });
        expect((await verifyAudit(own.db)).broken).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it('is read in pages', async () => {
    await add(...Array.from({ length: 1001 }, (_, at) => ({ subject: `sync-${at}` })));

    expect(await verifyAudit(own.db)).toMatchObject({ count: 1001, broken: undefined });
  });

  it.each([
    ['update', `update audit set outcome = 'refused'`],
    ['delete', 'delete from audit'],
    ['truncate', 'truncate audit'],
  ])('refuses %s', async (_what, statement) => {
    await add({});

    await expect(own.db.query(statement)).rejects.toThrow('only added to');
    expect((await verifyAudit(own.db)).count).toBe(1);
  });

  it.each([
    ['at', `at = at + interval '1 millisecond'`],
    ['kind', `kind = 'command'`],
    ['person_id', 'person_id = 8'],
    ['person_id', 'person_id = null'],
    ['person', `person = 'Ada Park'`],
    ['command', `command = 'reject'`],
    ['subject', 'subject = null'],
    ['input', `input = '{"run":"13"}'`],
    ['before', `before = '{"state":"held","share":0.26}'`],
    ['after', 'after = null'],
    ['origin', `origin = jsonb_set(origin::jsonb, '{person,id}', '"U2"')::json`],
    ['outcome', `outcome = 'refused'`],
  ])('finds that %s was changed', async (_column, change) => {
    await add({}, {}, {});

    await behindTheBack(`update audit set ${change} where id = 2`);

    expect((await verifyAudit(own.db)).broken).toEqual({ id: 2, what: 'it is not as it was written' });
  });

  it('tries every column that there is', async () => {
    const columns = await own.db.query<{ name: string }>(
      `select column_name as name from information_schema.columns where table_name = 'audit' order by 1`,
    );

    expect(columns.map(({ name }) => name)).toEqual(
      // id, previous and hash are tried below.
      [
        'after',
        'at',
        'before',
        'command',
        'hash',
        'id',
        'input',
        'kind',
        'origin',
        'outcome',
        'person',
        'person_id',
        'previous',
        'subject',
      ],
    );
  });

  it.each([
    ['a hash', `update audit set hash = repeat('a', 64) where id = 2`, 2, /not as it was/],
    ['a previous hash', `update audit set previous = repeat('a', 64) where id = 2`, 2, /does not follow/],
    ['the first entry', 'delete from audit where id = 1', 2, /before it is missing/],
    ['one in the middle', 'delete from audit where id = 2', 3, /before it is missing/],
    ['two in the middle', 'delete from audit where id in (2, 3)', 4, /2 entries before it/],
    ['a place', 'update audit set id = 9 where id = 4', 9, /5 entries before it/],
  ])('finds that %s was taken away', async (_what, statement, id, what) => {
    await add({}, {}, {}, {});

    await behindTheBack(statement);

    expect((await verifyAudit(own.db)).broken).toEqual({ id, what: expect.stringMatching(what) });
  });

  it('finds one that was taken away where the rest was moved up', async () => {
    await add({ subject: 'a' }, { subject: 'b' }, { subject: 'c' });

    await behindTheBack('delete from audit where id = 2', 'update audit set id = 2 where id = 3');

    expect((await verifyAudit(own.db)).broken).toEqual({
      id: 2,
      what: 'it does not follow from the entry before it',
    });
  });

  it('finds a log that was cut off at its end, given the head that was noted down', async () => {
    await add({}, {}, {});
    const { head } = await verifyAudit(own.db);
    await add({});
    expect(await verifyAudit(own.db, { expect: head })).toMatchObject({ count: 4, broken: undefined });

    await behindTheBack('delete from audit where id >= 3');

    expect((await verifyAudit(own.db)).broken).toBeUndefined();
    expect((await verifyAudit(own.db, { expect: head })).broken).toEqual({
      id: undefined,
      what: expect.stringContaining('cut off'),
    });
  });

  it('stays one chain when two processes write at once', async () => {
    const other = createDb(own.url, { schema: 'activate', log: silentLog });
    const write = (db: { transaction: typeof own.db.transaction }, subject: string) =>
      db.transaction((sql: Sql) => writeAudit(sql, entry({ subject })));

    await Promise.all(
      Array.from({ length: 60 }, (_, at) => write(at % 2 === 0 ? own.db : other, `sync-${at}`)),
    );
    await other.close();

    expect(await verifyAudit(own.db)).toMatchObject({ count: 60, broken: undefined });
    const { rows } = await auditEntries(own.db, undefined, 100);
    expect(new Set(rows.map(({ subject }) => subject)).size).toBe(60);
  });

  it('loses nothing and gains no gap when a transaction is rolled back', async () => {
    await add({});
    await expect(
      own.db.transaction(async (sql) => {
        await writeAudit(sql, entry());
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    await add({});

    expect(await verifyAudit(own.db)).toMatchObject({ count: 2, broken: undefined });
  });

  it('keeps a name after the person is gone', async () => {
    const [person] = await own.db.query<{ id: number }>(
      `insert into people (name, role) values ('Leaver', 'editor') returning id`,
    );
    await add({ personId: person?.id ?? 0, person: 'Leaver' });

    await own.db.query('delete from people where id = $1', [person?.id]);

    const { rows } = await auditEntries(own.db, 'Leaver', 10);
    expect(rows).toMatchObject([{ personId: person?.id, person: 'Leaver' }]);
    expect((await verifyAudit(own.db)).broken).toBeUndefined();
  });

  it('finds entries by what they are about, by who did it, and by e-mail', async () => {
    const [person] = await own.db.query<{ id: number }>(
      `insert into people (name, email, role) values ('Ada', 'ada@northwind.example', 'editor') returning id`,
    );
    await add({ subject: 'a' }, { subject: 'b', person: 'Ada', personId: person?.id ?? 0 }, { subject: 'a' });

    const ids = async (about: string) => (await auditEntries(own.db, about, 10)).rows.map(({ id }) => id);

    expect(await ids('a')).toEqual([3, 1]);
    expect(await ids('Ada')).toEqual([2]);
    expect(await ids('Ada@Northwind.example')).toEqual([2]);
    expect(await ids('nothing')).toEqual([]);
  });
});

describe('a line of the file', () => {
  it('can be checked by anybody who can compute a hash', async () => {
    await add({}, { subject: 'ünïcödé ✓' });
    const { rows } = await auditEntries(own.db, undefined, 10);

    for (const row of rows) {
      const { hash, previous, ...all } = JSON.parse(auditLine(row));
      // Written with sorted names already, at every depth.
      const text = JSON.stringify([previous, all]);
      expect(createHash('sha256').update(text).digest('hex')).toBe(hash);
    }
  });
});

describe('secrets', () => {
  it.each([
    ['a field that tells', { apiKey: 'hunter2hunter2' }],
    ['a text', 'password: hunter2hunter2'],
    ['a quoted text', 'password: "hunter2hunter2 and more"'],
    ['JSON', '{"client_secret":"hunter2hunter2","a":1}'],
    ['an address', { note: 'postgres://mia:hunter2hunter2@db.example.com/x' }],
    ['a token of Slack', ['xoxb-hunter2hunter2-12']],
    [
      'a block of a file',
      'sources:\n  crm:\n    connector: postgres\n    secrets:\n      url: hunter2hunter2\n\nmodels: {}',
    ],
    ['a block in one line', 'secrets: { url: hunter2hunter2 }'],
    ['what lies deep', { a: [{ b: { dbPassword: 'hunter2hunter2' } }] }],
  ])('are left out of the log: %s', async (_what, value) => {
    await add({ input: { yaml: typeof value === 'string' ? value : '' }, before: value, after: [value] });

    const { rows } = await auditEntries(own.db, undefined, 1);

    expect(JSON.stringify(rows)).toContain('redacted');
    expect(JSON.stringify(rows)).not.toContain('hunter2');
    expect((await verifyAudit(own.db)).broken).toBeUndefined();
  });

  it('are told from what only looks like one', async () => {
    const yaml = `sources:\n  crm:\n    secrets:\n      url: \${CONNECTION_CRM_URL}\nmodels:\n  m:\n    key: [id]\n    sql: select token_count from t\n`;
    await add({ input: { yaml } });

    const { rows } = await auditEntries(own.db, undefined, 1);

    expect(rows[0]?.input).toEqual({ yaml });
  });
});

describe('runs in the log', () => {
  const sync = { id: 1, name: 'contacts-to-crm' } as Sync;
  const run = { id: 12, cause: 'schedule', scope: 'changes', requestedBy: null } as Run;
  const at = new Date('2026-03-01T10:00:00Z');
  const note = (...[counts, error, more]: [Parameters<typeof auditRun>[3], Run['error'], Partial<Run>?]) =>
    own.db.transaction((sql) => auditRun(sql, sync, { ...run, ...more }, counts, error, at));

  it('leave out a scheduled run that changed nothing', () => {
    expect(isWorthAuditing(run, { rows: 10, done: { written: 0 }, messages: 0, quiet: 2 }, null)).toBe(false);
  });

  it.each([
    ['wrote', { done: { written: 3 } }, null, {}, 'ok'],
    ['said something', { messages: 1 }, null, {}, 'ok'],
    ['had rows refused', { failed: 2 }, null, {}, 'ROW_REJECTED'],
    ['failed', {}, { code: 'SQL_FAILED', message: 'No such table.' }, {}, 'SQL_FAILED'],
    ['was stopped', {}, { code: 'SOURCE_EMPTY', message: 'No rows.' }, {}, 'SOURCE_EMPTY'],
    ['was asked for', { rows: 1 }, null, { requestedBy: 7, cause: 'manual' }, 'ok'],
  ] as const)('has one that %s', async (_what, counts, error, more, outcome) => {
    expect(isWorthAuditing({ ...run, ...more }, counts, error)).toBe(true);
    await note(counts, error, more);

    const { rows } = await auditEntries(own.db, 'contacts-to-crm', 10);

    expect(rows).toMatchObject([
      { kind: 'run', command: 'run', subject: 'contacts-to-crm', input: { run: '12' }, outcome, at },
    ]);
  });

  it('name no single row', async () => {
    await note(
      {
        failed: 1,
        refusals: [{ reason: 'mia@northwind.example is taken.', count: 1, example: 'mia@northwind.example' }],
        unknownPeople: ['mia@northwind.example'],
        reasons: ['mia@northwind.example left.'],
        remarks: ['mia@northwind.example was there.'],
      },
      { code: 'SQL_FAILED', message: 'Key (email)=(mia@northwind.example) is there already.' },
    );

    const { rows } = await auditEntries(own.db, undefined, 10);

    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).toContain('m•••@n•••.example');
    expect(JSON.stringify(rows)).not.toContain('northwind');
  });
});

describe('an installation from before the chain', () => {
  it('has its entries chained as they stand', async () => {
    const old = createDb(own.url, { schema: 'old', log: silentLog });
    const names = ['0001-core.sql', '0002-local-chat.sql', '0003-plans.sql', '0004-destinations.sql'];
    await old.query('create schema old');
    await old.query('create table migrations (name text primary key, at timestamptz not null default now())');
    for (const name of names) {
      await old.query(await readFile(new URL(`../../../migrations/${name}`, import.meta.url), 'utf8'));
      await old.query('insert into migrations (name) values ($1)', [name]);
    }
    await old.query(`insert into people (name, role) values ('Mia', 'admin')`);
    for (const [person, input] of [
      ['Mia', { name: 'pql', 'a"\n\u2028\u0001é': '✓ "quoted" \\ \t \u007f' }],
      ['gone', {}],
      ['Ada', { b: '1', a: '2', B: '3' }],
    ] as const) {
      await old.query(
        `insert into audit (at, person_id, person, command, input, origin, outcome)
         values ('2026-01-02T03:04:05.678912Z', $1, $2, 'run', $3, $4, 'ok')`,
        [
          person === 'Mia' ? 1 : null,
          person,
          JSON.stringify(input),
          JSON.stringify({ person: mia, conversation: place }),
        ],
      );
    }
    await old.query(`delete from audit where person = 'gone'`);

    await migrate(old, 'old');
    await old.transaction((sql) => writeAudit(sql, entry()));

    expect(await verifyAudit(old)).toMatchObject({ count: 3, broken: undefined });
    const { rows } = await auditEntries(old, undefined, 10);
    expect(rows.map(({ id, person, kind }) => [id, person, kind])).toEqual([
      [3, 'Mia Lopez', 'decision'],
      [2, 'Ada', 'command'],
      [1, 'Mia', 'command'],
    ]);
    await old.close();
  });
});
