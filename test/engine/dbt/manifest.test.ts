import { describe, expect, it } from 'vitest';
import { readManifest } from '../../../engine/dbt/manifest.ts';
import { bytesOf, metadataOf, model, test, v12, withoutNulls } from './manifests.ts';

const read = async (written: unknown) => readManifest(bytesOf(written));

async function refusal(written: unknown): Promise<string> {
  return readManifest(bytesOf(written)).then(
    () => 'it was read',
    (error: Error) => error.message,
  );
}

describe('a manifest', () => {
  it('gives its models with what people want to know of them', async () => {
    const { about, models } = await read(v12());

    expect(about).toEqual({
      version: 12,
      generatedAt: '2026-11-26T10:00:00.000000Z',
      invocationId: 'f0a1b2c3-0000-4000-8000-000000000001',
      project: 'shop',
      adapter: 'postgres',
    });
    expect(models).toEqual([
      {
        uniqueId: 'model.shop.accounts',
        name: 'accounts',
        package: 'shop',
        version: undefined,
        materialized: 'table',
        relation: '"marts"."accounts"',
        compiled: undefined,
        schema: 'marts',
        description: 'One row per paying account.',
        owner: 'Ada Stone',
        tags: ['daily'],
        columns: ['id', 'name', 'email', 'seats'],
        key: ['id'],
        tests: [
          'test.shop.unique_accounts_id.1a2b3c',
          'test.shop.not_null_accounts_id.1a2b3c',
          'test.shop.not_null_accounts_email.1a2b3c',
        ],
        file: 'models/marts/accounts.sql',
        contract: false,
        enabled: true,
      },
    ]);
  });

  it.each([
    ['v7, which does not say what a test is attached to', seventh()],
    ['v12 without the keys that have no value', withoutNulls(v12())],
    ['v20', withoutNulls({ ...v12(), metadata: metadataOf(20) })],
    ['v12 with its metadata last', metadataLast()],
    ['a byte order mark', `\uFEFF${JSON.stringify(v12())}`],
  ])('is read as %s', async (_what, written) => {
    const [accounts] = (await read(written)).models;

    expect(accounts).toMatchObject({
      name: 'accounts',
      relation: '"marts"."accounts"',
      key: ['id'],
      enabled: true,
    });
    expect(accounts?.tests).toHaveLength(3);
  });

  it('that is too old is refused with what to do', async () => {
    expect(await refusal({ ...v12(), metadata: metadataOf(6) })).toBe(
      'This manifest has version v6, which is too old: v7 or newer is read.',
    );
  });

  it.each([
    [
      'cut short',
      JSON.stringify(v12()).slice(0, -200),
      'The manifest is no whole JSON: it is damaged or cut short.',
    ],
    ['empty', '', 'The manifest is no whole JSON: it is damaged or cut short.'],
    [
      'damaged',
      JSON.stringify(v12()).replace('"nodes":', '"nodes"'),
      'The manifest is no whole JSON: it is damaged or cut short.',
    ],
    ['something else', '{"nodes":{}}', 'This is no manifest of dbt: it has no metadata.'],
    [
      'an artifact of another kind',
      { metadata: { dbt_schema_version: 'https://schemas.getdbt.com/dbt/run-results/v6.json' } },
      'This is no manifest of dbt: it does not say its version.',
    ],
    ['a list', '[1]', 'This is no manifest of dbt: it has no metadata.'],
  ])('that is %s is refused', async (_what, written, sentence) => {
    expect(await refusal(written)).toBe(sentence);
  });

  it('passes over what has another shape than it should', async () => {
    const odd = model({
      more: { tags: 7, description: ['no', 'text'], meta: 'none', primary_key: {}, columns: [] },
    });
    const written = v12({ nodes: { 'model.shop.accounts': odd, 'model.shop.none': null as never } });

    const { models } = await read(written);

    expect(models).toMatchObject([
      { name: 'accounts', tags: ['daily'], description: '', columns: [], key: [] },
    ]);
  });
});

describe('the key of a model', () => {
  const keyOf = async (
    accounts: Parameters<typeof model>[0],
    tests: readonly (readonly [string, unknown])[] = [],
  ) => {
    const written = v12({
      nodes: { 'model.shop.accounts': model(accounts), ...Object.fromEntries(tests) } as never,
    });
    return (await read(written)).models[0]?.key;
  };

  it('is what its authors say, before all else', async () => {
    const tests = [test('unique', 'email'), test('not_null', 'email')];

    expect(await keyOf({ more: { primary_key: ['id', 'region'] } }, tests)).toEqual(['id', 'region']);
    expect(await keyOf({ config: { unique_key: 'id' } }, tests)).toEqual(['id']);
    expect(
      await keyOf({ config: { meta: { activate: { key: 'name' } } }, more: { primary_key: ['id'] } }),
    ).toEqual(['name']);
    expect(await keyOf({}, tests)).toEqual(['email']);
  });

  it('is no column that may be empty, and no expression', async () => {
    expect(await keyOf({}, [test('unique', 'email')])).toEqual([]);
    expect(await keyOf({ config: { unique_key: "id || '-' || region" } })).toEqual([]);
  });
});

describe('models', () => {
  it('have their group’s owner where they name none', async () => {
    const written = v12(
      {
        groups: {
          'group.shop.finance': { name: 'finance', owner: { email: 'finance@example.com', name: null } },
        },
      },
      { more: { meta: {}, group: 'finance' } },
    );

    expect((await read(written)).models[0]?.owner).toBe('finance@example.com');
  });

  it('that are ephemeral are known by their compiled SQL alone', async () => {
    const compiled = model({
      config: { materialized: 'ephemeral' },
      relation: null,
      more: { compiled_code: 'select 1 as id' },
    });

    expect((await read(v12({ nodes: { a: compiled } }))).models[0]).toMatchObject({
      relation: undefined,
      compiled: 'select 1 as id',
    });
  });

  it('that are incremental never give theirs, which holds the merge filter', async () => {
    const incremental = model({
      config: { materialized: 'incremental' },
      more: { compiled_code: 'select 1 where at > (…)' },
    });

    expect((await read(v12({ nodes: { a: incremental } }))).models[0]).toMatchObject({
      relation: '"marts"."accounts"',
      compiled: undefined,
    });
  });

  it('that are disabled, by dbt or by their authors’ wish, say so', async () => {
    const gone = { ...model({ name: 'old' }), config: { enabled: false } };
    const kept = model({ name: 'inner', config: { meta: { activate: { enabled: false } } } });
    const { models } = await read(
      v12({ nodes: { 'model.shop.inner': kept }, disabled: { 'model.shop.old': [gone] } }),
    );

    expect(models.map(({ name, enabled }) => [name, enabled])).toEqual([
      ['inner', false],
      ['old', false],
    ]);
  });

  it('of several versions are told apart', async () => {
    const second = model({ more: { version: 2, latest_version: 2 }, relation: '"marts"."accounts_v2"' });

    expect((await read(v12({ nodes: { 'model.shop.accounts.v2': second } }))).models[0]?.name).toBe(
      'accounts.v2',
    );
  });
});

describe('a large manifest', () => {
  it('is read in flat memory', async () => {
    const padding = 'select {{ column }} as "ä" -- more of it\n'.repeat(2000);
    let bytes = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`{"metadata":${JSON.stringify(metadataOf(12))},"nodes":{`);
      for (let at = 0; at < 1500; at += 1) {
        const one = JSON.stringify(
          model({ name: `m${at}`, more: { raw_code: padding, compiled_code: padding } }),
        );
        const piece = Buffer.from(`${at === 0 ? '' : ','}"model.shop.m${at}":${one}`);
        bytes += piece.byteLength;
        yield piece;
      }
      yield Buffer.from('}}');
    }
    let most = 0;
    const before = process.memoryUsage().rss;
    const watching = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - before);
    }, 10);

    const { models } = await readManifest(pieces());

    clearInterval(watching);
    expect(models).toHaveLength(1500);
    expect(bytes).toBeGreaterThan(200_000_000);
    expect(most).toBeLessThan(150_000_000);
  }, 120_000);
});

function seventh() {
  const written = v12({ metadata: metadataOf(7) });
  const nodes = Object.entries(written.nodes).map(([id, given]) => {
    const { attached_node: _attached, primary_key: _key, access: _access, ...node } = given;
    return [id, node];
  });
  return { ...written, nodes: Object.fromEntries(nodes) };
}

function metadataLast() {
  const { metadata, ...rest } = v12();
  return { ...rest, metadata };
}
