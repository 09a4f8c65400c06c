import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anaplan } from '../../connectors/anaplan/index.ts';
import type { ObjectBatch, Objects, Operation, Outcome, Value } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { partOf } from '../contracts/works.ts';
import { type FakeAnaplan, ids, problem, seed, startAnaplan } from '../fakes/anaplan.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

type Rows = readonly Readonly<Record<string, Value>>[];

const batch = (operation: Operation, rows: Rows, more: Partial<ObjectBatch> = {}): ObjectBatch => ({
  object: ids.list,
  operation,
  match: ['code'],
  fields: [...new Set(rows.flatMap((row) => Object.keys(row)))].map((name) => ({
    name,
    onlyIfEmpty: false,
    sparse: false,
  })),
  items: rows.map((values, i) => ({ key: `k${i}`, values })),
  ...more,
});

const several = (n: number, make: (i: number) => Rows[number]): Rows =>
  Array.from({ length: n }, (_, i) => make(i));

const listOf =
  (operation: Operation) =>
  (n: number, bad?: number): ObjectBatch =>
    batch(
      operation,
      several(n, (i) => {
        const code = i === bad && operation === 'delete' ? '' : `${operation}-${i}`;
        const name = operation === 'update' ? {} : { name: `New ${code}` };
        return operation === 'delete' ? { code } : { code, ...name, Seats: i === bad ? 'many seats' : 40 };
      }),
    );

const cellsOf = (n: number, bad?: number): ObjectBatch =>
  batch(
    'upsert',
    several(n, (i) => ({
      'Products.code': `p${i}`,
      Time: 'Jan 27',
      Price: i === bad ? 'a lot' : 12.5,
      Note: `Note ${i}`,
    })),
    { object: ids.module, match: ['Products.code', 'Time'] },
  );

const fileOf = (n: number, bad?: number): ObjectBatch =>
  batch(
    'upsert',
    several(n, (i) => ({
      Code: `f${i}`,
      Name: `Acme, "${i}"`,
      Seats: i === bad ? 'many seats' : 40,
      Plan: 'Gold',
    })),
    { object: ids.import, match: ['Code'] },
  );

for (const [what, objects] of [
  [
    'lists',
    {
      insert: listOf('insert'),
      update: listOf('update'),
      upsert: listOf('upsert'),
      delete: listOf('delete'),
    },
  ],
  ['modules', { upsert: cellsOf }],
  ['imports', { upsert: fileOf }],
] as const) {
  destinationContract(`anaplan, ${what}`, {
    connector: anaplan,
    renewsToken: true,
    start: async () => {
      const fake = await startAnaplan();
      for (const i of [0, 1, 2]) {
        seed(fake, `update-${i}`, { Seats: 1 });
        seed(fake, `delete-${i}`);
        seed(fake, `p${i}`);
      }
      const { state } = fake;
      return {
        fake,
        config: fake.config,
        wrongConfig: { ...fake.config, password: 'of-somebody-else' },
        stored: () => ({ items: state.items, cells: [...state.cells], imported: [...state.imported] }),
      };
    },
    parts: { objects },
    says: {
      unauthorized: problem(401, 'Token is invalid or has expired'),
      broken: [problem(500, 'Internal error'), { status: 502, text: '<html>' }, { status: 503 }],
    },
  });
}

interface Found {
  readonly objects: Objects;
  readonly opened: Opened;
  readonly fake: FakeAnaplan;
}

async function withAnaplan(test: (found: Found) => Promise<void>, typed: Raw = {}): Promise<void> {
  const fake = await startAnaplan();
  const opened = await openFor(anaplan, { ...fake.config, ...typed });
  try {
    await test({ objects: partOf(opened.connection, 'objects'), opened, fake });
    fake.expectNoUnexpected();
  } finally {
    await opened.close();
    await fake.close();
  }
}

const states = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ state }) => state);
const home = `/2/0/workspaces/${ids.workspace}/models/${ids.model}`;
const toItems = (fake: FakeAnaplan, method: string) => fake.to(`${method} ${home}/lists/101000000001/items`);

describe('lists', () => {
  it('take an upsert apart: what is there is changed, the rest is added', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      seed(fake, 'a', { Title: 'Before', Seats: 1 });
      const rows = [
        { code: 'a', name: 'A', Title: 'After' },
        { code: 'b', name: 'B', Title: 'New' },
      ];

      expect(states(await objects.write(batch('upsert', rows), call()))).toEqual(['ok', 'ok']);
      expect(fake.state.items).toMatchObject([
        { code: 'a', name: 'Name of a', properties: { Title: 'After', Seats: 1 } },
        { code: 'b', name: 'B', properties: { Title: 'New' } },
      ]);
      expect(toItems(fake, 'PUT')[0]?.json()).toEqual({
        items: [{ code: 'a', properties: { Title: 'After' } }],
      });
    });
  });

  it('say that names stay what they were given when an item was made, and that deleting goes deep', async () => {
    await withAnaplan(async ({ objects }) => {
      const rows = [{ code: 'a', name: 'A' }];

      expect(await objects.verify(batch('upsert', rows))).toEqual([expect.stringContaining('name')]);
      expect(await objects.verify(batch('insert', rows))).toEqual([]);
      expect(await objects.verify(batch('delete', [{ code: 'a' }]))).toEqual([
        expect.stringContaining('all modules'),
      ]);
    });
  });

  it('name what they refuse by its place, though the answer is a 200, and repeat no value', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      seed(fake, 'b');
      const rows = [
        { code: 'a', name: 'A', Seats: 'quite some' },
        { code: 'b', Seats: 'rather many' },
        { code: 'c', name: 'C', Seats: 3 },
      ];

      const outcomes = await objects.write(batch('upsert', rows), call());

      expect(outcomes).toMatchObject([{ state: 'rejected' }, { state: 'rejected' }, { state: 'ok' }]);
      expect(outcomes[0]).toMatchObject({
        reason:
          'Anaplan refuses this (INCORRECT_FORMAT). It says: incorrect format -- column name:Seats, value:…',
      });
      expect(JSON.stringify(outcomes)).not.toMatch(/quite some|rather many/);
    });
  });

  it('ignore without a word what an addition with a lost answer has added: it is looked up', async () => {
    await withAnaplan(async ({ objects, opened, fake }) => {
      await objects.fields(ids.list);
      fake.next(undefined, 'done-then-reset');
      const rows = [
        { code: 'a', name: 'A' },
        { code: 'b', name: 'B', Seats: 'none of them' },
      ];

      const outcomes = await objects.write(batch('insert', rows), call());

      expect(states(outcomes)).toEqual(['ok', 'rejected']);
      expect(opened.pauses).toHaveLength(1);
      expect(fake.state.items).toHaveLength(1);
    });
  });

  it('do not have an item made twice, and count it as made at another attempt', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      seed(fake, 'a');
      const rows = [{ code: 'a', name: 'A' }];

      const anew = await objects.write(batch('insert', rows), call());
      const again = await objects.write(batch('insert', rows), call({ again: true }));

      expect([...states(anew), ...states(again)]).toEqual(['rejected', 'ok']);
    });
  });

  it('take what is not there for deleted, also when it goes in the same moment', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      seed(fake, 'a');
      seed(fake, 'b');
      await objects.fields(ids.list);
      fake.next((request) => {
        const items = fake.state.items.map(({ id, code, name }) => ({ id, code, name }));
        fake.state.items.splice(0, 1);
        expect(request.json()).toEqual({ codes: ['a', 'b', 'c'] });
        return { json: { items } };
      });

      const outcomes = await objects.write(
        batch('delete', [{ code: 'a' }, { code: 'b' }, { code: 'c' }]),
        call(),
      );

      expect(states(outcomes)).toEqual(['ok', 'ok', 'ok']);
      expect(fake.state.items).toEqual([]);
    });
  });

  it('are matched by name or by id, too', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      const id = seed(fake, 'a');
      await objects.write(
        batch('update', [{ name: 'Name of a', Title: 'One' }], { match: ['name'] }),
        call(),
      );
      await objects.write(batch('update', [{ id, Seats: 2 }], { match: ['id'] }), call());

      expect(fake.state.items).toMatchObject([{ properties: { Title: 'One', Seats: 2 } }]);
    });
  });

  it('have no names to match by or to give where they are numbered', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.numbered = true;
      const plan = batch('upsert', [{ name: 'A', code: 'a' }], { match: ['name'] });

      await expect(objects.verify(plan)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      await objects.write({ ...plan, match: ['code'] }, call());
      expect(fake.state.items).toMatchObject([{ code: 'a', name: expect.stringMatching(/^#/) }]);
    });
  });

  it('have parents, subsets and properties; what is empty is an empty text', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      await objects.write(
        batch('upsert', [
          { code: 'a', name: 'A', parent: 'All', 'subset Big': true, Title: null, Active: false },
        ]),
        call(),
      );

      expect(fake.state.items).toMatchObject([
        { parent: 'All', subsets: { Big: true }, properties: { Title: '', Active: false } },
      ]);
    });
  });

  it('show the fields that can be written', async () => {
    await withAnaplan(async ({ objects }) => {
      const fields = await objects.fields(ids.list);

      expect(fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
        'code text',
        'name text',
        'id text',
        'parent text',
        'Title text',
        'Seats number',
        'Since date',
        'Active boolean',
        'Plan text',
        'subset Big boolean',
      ]);
      expect(fields.filter(({ required }) => required).map(({ name }) => name)).toEqual(['name']);
    });
  });

  it('look items up by code, and by nothing that is no key', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      const id = seed(fake, 'a');

      expect(await objects.find(ids.list, 'code', ['a', 'b'])).toEqual(new Map([['a', id]]));
      await expect(objects.find(ids.list, 'Title', ['a'])).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    });
  });
});

describe('modules', () => {
  it('take cells by the items of their own dimensions, by code or by name', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      seed(fake, 'p');
      const row = { Products: 'Name of p', Time: 'Jan 27', Price: '12.50', Note: null };

      await objects.write(
        batch('upsert', [row], { object: ids.module, match: ['Products', 'Time'] }),
        call(),
      );

      expect(fake.state.cells).toEqual(
        new Map<string, unknown>([
          ['Price p Jan 27', '12.50'],
          ['Note p', ''],
        ]),
      );
    });
  });

  it('keep the good cells of a row with a bad one, which is refused by its line item', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      seed(fake, 'p0');

      const outcomes = await objects.write(cellsOf(1, 0), call());

      expect(outcomes).toMatchObject([{ state: 'rejected', field: 'Price' }]);
      expect(outcomes[0]).toMatchObject({ reason: expect.not.stringContaining('a lot') });
      expect([...fake.state.cells.keys()]).toEqual(['Note p0']);
    });
  });

  it('offer neither formulas nor headings', async () => {
    await withAnaplan(async ({ objects }) => {
      expect((await objects.fields(ids.module)).map(({ name }) => name)).toEqual([
        'Products',
        'Products.code',
        'Time',
        'Time.code',
        'Price',
        'Note',
      ]);
    });
  });

  it.each([
    ['insert', ['Products', 'Time']],
    ['delete', ['Products', 'Time']],
    ['upsert', ['Products']],
    ['upsert', ['Products', 'Products.code', 'Time']],
    ['upsert', ['Products', 'Time', 'Note']],
  ] as const)('can not be written to %s by %j, and it says why', async (operation, match) => {
    await withAnaplan(async ({ objects }) => {
      const row = { Products: 'p', 'Products.code': 'p', Time: 'Jan 27', Price: 1, Note: 'x' };

      await expect(
        objects.verify(batch(operation, [row], { object: ids.module, match })),
      ).rejects.toMatchObject({ code: 'CONFIG_INVALID', fields: { match: expect.any(String) } });
    });
  });
});

describe('imports', () => {
  it('read the new file, not the one of before, in the order of its columns', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      expect(states(await objects.write(fileOf(2), call()))).toEqual(['ok', 'ok']);

      expect(fake.state.readable).toBe(
        'Code,Name,Seats,Plan\r\nf0,"Acme, ""0""",40,Gold\r\nf1,"Acme, ""1""",40,Gold\r\n',
      );
      expect([...fake.state.imported.keys()]).toEqual(['f0', 'f1']);
    });
  });

  it('that are complete may have refused rows: those of the list of failures', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      const outcomes = await objects.write(fileOf(3, 1), call());

      expect(states(outcomes)).toEqual(['ok', 'rejected', 'ok']);
      expect(outcomes[1]).toMatchObject({
        reason: 'Anaplan did not import this row. It says: 2 Invalid value "…" in f1',
      });
      expect([...fake.state.imported.keys()]).toEqual(['f0', 'f2']);
    });
  });

  it('whose list of failures does not say which rows it means are halved until it is known', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.strangeDump = true;

      await expect(objects.write(fileOf(2, 1), call())).rejects.toMatchObject({ code: 'ROW_REJECTED' });
      expect(states(await objects.write(fileOf(1, 0), call()))).toEqual(['rejected']);
    });
  });

  it('whose list of failures is gone are halved, too', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      const first = call();
      await objects.write(fileOf(2, 1), first);
      fake.next(undefined, problem(404, 'Dump file not found'));

      const again = objects.write(fileOf(2, 1), call({ again: true, ticket: first.kept[0] }));

      await expect(again).rejects.toMatchObject({ code: 'ROW_REJECTED' });
    });
  });

  it('that can not be run at all are an error of the set-up, not of rows', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.broken = true;

      await expect(objects.write(fileOf(2), call())).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining('Column 3'),
        fix: expect.any(String),
      });
    });
  });

  it('that somebody cancelled have changed nothing, and are run again', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.taskState = 'CANCELLED';

      const first = call();
      await expect(objects.write(fileOf(2), first)).rejects.toMatchObject({ code: 'UNAVAILABLE' });

      fake.state.taskState = 'COMPLETE';
      const second = call({ again: true, ticket: first.kept[0] });
      fake.next({ json: { task: { taskId: 'TASK1', taskState: 'CANCELLED' } } });
      expect(states(await objects.write(fileOf(2), second))).toEqual(['ok', 'ok']);
      expect(second.kept).toEqual(['TASK2']);
    });
  });

  it('are waited for, and gone on with by another attempt', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.polls = 2;
      const first = call();
      await objects.write(fileOf(2), first);

      await objects.write(fileOf(2), call({ again: true, ticket: first.kept[0] }));

      expect(first.kept).toEqual(['TASK1']);
      expect(fake.state.tasks).toHaveLength(1);
    });
  });

  it('that Anaplan has forgotten are run anew', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      expect(states(await objects.write(fileOf(1), call({ again: true, ticket: 'TASK9' })))).toEqual(['ok']);
      expect(fake.state.tasks).toHaveLength(1);
    });
  });

  it.each([
    ['delete', ['Code', 'Name', 'Seats', 'Plan'], 'UTF-8'],
    ['upsert', ['Code', 'Name', 'Seats'], 'UTF-8'],
    ['upsert', ['Code', 'Name', 'Seats', 'Plan'], 'ISO-8859-1'],
  ] as const)('can not %s with %j from a file in %s, and it says why', async (operation, names, encoding) => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.encoding = encoding;
      const row = Object.fromEntries(names.map((name) => [name, 'x']));
      const plan = batch(operation, [row], { object: ids.import, match: ['Code'] });

      await expect(objects.verify(plan)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    });
  });

  it('from models are not offered, and pages that are cut short are read to their end', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      fake.state.pageSize = 1;

      expect((await objects.objects('')).map(({ label }) => label)).toEqual([
        'List Customers',
        'Module Prices',
        'Import Customers',
      ]);
      await expect(objects.fields('import:112000000002')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
});

describe('the connection', () => {
  it('signs in with a certificate, by data that begin with the time', async () => {
    const { key, certificate } = certified();
    const fake = await startAnaplan();
    fake.state.certificate = certificate;
    const { email: _email, password: _password, ...others } = fake.config;
    const { connection, close } = await openFor(anaplan, { ...others, certificate, privateKey: key });

    // It was made for ten days.
    expect(await connection.check('objects')).toEqual([expect.stringContaining('certificate ends')]);
    await close();
    await fake.close();
  });

  it('uses one token for all calls, and gets another when that has ended', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      await Promise.all([objects.objects(''), objects.fields(ids.list)]);
      expect(fake.state.signIns).toHaveLength(1);
      fake.state.tokens = [];

      await objects.fields(ids.list);
      expect(fake.state.signIns).toHaveLength(2);
    });
  });

  it.each([409, 423, 424])('waits a minute for a model that is busy or locked: %i', async (status) => {
    await withAnaplan(async ({ objects, fake }) => {
      await objects.fields(ids.list);
      fake.always(problem(status, 'Model is locked'));

      await expect(objects.write(listOf('upsert')(1), call())).rejects.toMatchObject({
        code: 'RATE_LIMITED',
        retryAfterMs: 60_000,
      });
    });
  });

  it('ends for a model that is archived', async () => {
    await withAnaplan(async ({ objects, fake }) => {
      await objects.fields(ids.list);
      fake.always(problem(422, 'Model is archived'));

      await expect(objects.write(listOf('upsert')(1), call())).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fix: expect.any(String),
      });
    });
  });

  it('offers imports to those who are no Workspace Administrator, and warns', async () => {
    await withAnaplan(async ({ objects, opened, fake }) => {
      fake.state.isAdministrator = false;

      expect(await opened.connection.check('objects')).toEqual([expect.stringContaining('Administrator')]);
      expect((await objects.objects('')).map(({ value }) => value)).toEqual([ids.import]);
    });
  });

  it('says that there is no such model', async () => {
    await withAnaplan(
      async ({ opened }) => {
        await expect(opened.connection.check('objects')).rejects.toMatchObject({
          code: 'CONFIG_INVALID',
          fields: { model: expect.any(String) },
        });
      },
      { model: '0'.repeat(32) },
    );
  });

  it.each([
    [{ workspace: 'acme' }, 'workspace'],
    [{ model: 'https://anaplan.example' }, 'model'],
    [{ password: '' }, 'password'],
    [{ email: '', password: '' }, 'email'],
    [{ privateKey: 'one' }, 'certificate'],
    [{ email: '', password: '', certificate: 'one' }, 'privateKey'],
    [{ email: '', password: '', certificate: 'one', privateKey: 'secret-no-key' }, 'privateKey'],
    [{ email: '', password: '', certificate: 'one', privateKey: certified().key }, 'certificate'],
    [{ email: '', password: '', ...certified(), privateKey: certified().key }, 'certificate'],
    [{ baseUrl: 'anaplan' }, 'baseUrl'],
  ])('with %o can not be right, and says where', async (typed, name) => {
    const fake = await startAnaplan();
    const { key: _key, ...given } = { key: '', ...typed };

    await expect(openFor(anaplan, { ...fake.config, ...given } as Raw)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('secret-no-key'),
      fields: { [name]: expect.any(String) },
      fix: expect.any(String),
    });
    await fake.close();
  });
});

/** A key and a certificate for ten days. */
function certified(): { readonly key: string; readonly certificate: string } {
  const folder = mkdtempSync(join(tmpdir(), 'activate-certificate-'));
  const [key, certificate] = [join(folder, 'a.pem'), join(folder, 'a.crt')];
  const how = ['-newkey', 'rsa:2048', '-nodes', '-days', '10', '-subj', '/CN=a'];
  execFileSync('openssl', ['req', '-x509', ...how, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
}
