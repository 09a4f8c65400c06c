/** Manifests as dbt writes them, small. */

export interface Written {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly nodes: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [section: string]: unknown;
}

/** Fields that differ from those of a plain table `accounts` with a unique, present id. */
export interface Accounts {
  readonly name?: string;
  readonly schema?: string;
  readonly relation?: string | null;
  readonly columns?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
}

export function metadataOf(version: number, more: Readonly<Record<string, unknown>> = {}) {
  return {
    dbt_schema_version: `https://schemas.getdbt.com/dbt/manifest/v${version}.json`,
    dbt_version: version === 20 ? '2.0.0-preview.1' : '1.10.1',
    generated_at: '2026-11-26T10:00:00.000000Z',
    invocation_id: 'f0a1b2c3-0000-4000-8000-000000000001',
    project_name: 'shop',
    adapter_type: 'postgres',
    ...more,
  };
}

/** As the Python line writes a model: every key is there, null where it has no value. */
export function model({
  name = 'accounts',
  schema = 'marts',
  relation,
  columns = ['id', 'name', 'email', 'seats'],
  config = {},
  more = {},
}: Accounts = {}) {
  return {
    database: 'warehouse',
    schema,
    name,
    resource_type: 'model',
    package_name: 'shop',
    path: `marts/${name}.sql`,
    original_file_path: `models/marts/${name}.sql`,
    unique_id: `model.shop.${name}`,
    fqn: ['shop', 'marts', name],
    alias: name,
    checksum: { name: 'sha256', checksum: 'ab12' },
    config: {
      enabled: true,
      alias: null,
      tags: ['daily'],
      meta: {},
      group: null,
      materialized: 'table',
      unique_key: null,
      contract: { enforced: false, alias_types: true },
      ...config,
    },
    tags: ['daily'],
    description: 'One row per paying account.',
    columns: Object.fromEntries(
      columns.map((column) => [
        column,
        { name: column, description: '', meta: {}, data_type: null, constraints: [], quote: null, tags: [] },
      ]),
    ),
    meta: { owner: 'Ada Stone' },
    group: null,
    relation_name: relation === undefined ? `"${schema}"."${name}"` : relation,
    raw_code: 'select * from {{ source("app", "accounts") }}',
    compiled_code: null,
    depends_on: { macros: [], nodes: ['source.shop.app.accounts'] },
    access: 'protected',
    version: null,
    latest_version: null,
    primary_key: [],
    ...more,
  };
}

/** A generic test of one column. */
export function test(kind: string, column: string, about = 'model.shop.accounts') {
  const id = `test.shop.${kind}_${about.split('.')[2]}_${column}.1a2b3c`;
  const name = `${kind}_${about.split('.')[2]}_${column}`;
  const node = {
    database: 'warehouse',
    schema: 'marts_dbt_test__audit',
    resource_type: 'test',
    name,
    alias: name,
    package_name: 'shop',
    path: `${name}.sql`,
    original_file_path: 'models/marts/accounts.yml',
    fqn: ['shop', 'marts', name],
    checksum: { name: 'none', checksum: '' },
    unique_id: id,
    test_metadata: {
      name: kind,
      kwargs: { column_name: column, model: `{{ get_where_subquery(ref('${about.split('.')[2]}')) }}` },
      namespace: null,
    },
    depends_on: { macros: [], nodes: [about] },
    column_name: column,
    attached_node: about,
    config: { enabled: true, severity: 'ERROR' },
  };
  return [id, node] as const;
}

/** The manifest of a shop: one table of accounts, with its tests. */
export function v12(more: Partial<Written> = {}, accounts: Accounts = {}): Written {
  const one = model(accounts);
  return {
    metadata: metadataOf(12),
    nodes: {
      [one.unique_id]: one,
      ...Object.fromEntries([
        test('unique', 'id', one.unique_id),
        test('not_null', 'id', one.unique_id),
        test('not_null', 'email', one.unique_id),
      ]),
    },
    sources: {},
    macros: { 'macro.dbt.run': { macro_sql: '{% macro run() %}{% endmacro %}', name: 'run' } },
    docs: {},
    exposures: {},
    metrics: {},
    groups: {},
    disabled: {},
    parent_map: { 'model.shop.accounts': ['source.shop.app.accounts'] },
    ...more,
  };
}

/** As later versions write it: what has no value is not there. */
export function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.map(withoutNulls) as T;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const kept = Object.entries(value).filter(([, one]) => one !== null && !isEmpty(one));
  return Object.fromEntries(kept.map(([name, one]) => [name, withoutNulls(one)])) as T;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** A manifest in pieces that fall anywhere, within letters of more than one byte too. */
export async function* bytesOf(written: unknown, size = 61): AsyncGenerator<Uint8Array> {
  const whole = Buffer.from(typeof written === 'string' ? written : JSON.stringify(written));
  for (let at = 0; at < whole.byteLength; at += size) {
    yield whole.subarray(at, at + size);
  }
}
