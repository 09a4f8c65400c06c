import { shorten } from '../cards/build.ts';
import { type Node, node } from './node.ts';

/** A model, seed or snapshot of a dbt project, as much of it as we keep. */
export interface DbtModel {
  readonly uniqueId: string;
  /** As people call it; a version behind it, as `accounts.v2`. */
  readonly name: string;
  readonly package: string;
  readonly version: string | undefined;
  readonly materialized: string;
  /** What to read from, quoted in the warehouse's way; undefined where nothing is built in the warehouse. */
  readonly relation: string | undefined;
  /** The compiled SQL of one that has no relation. */
  readonly compiled: string | undefined;
  readonly schema: string | undefined;
  readonly description: string;
  readonly owner: string | undefined;
  readonly tags: readonly string[];
  /** Those that its authors wrote down, which need not be all; lower-case. */
  readonly columns: readonly string[];
  /** The columns that its authors say tell rows apart. */
  readonly key: readonly string[];
  /** Unique ids of the tests that are about it. */
  readonly tests: readonly string[];
  readonly file: string | undefined;
  /** Its columns are enforced: what is not written down is not there. */
  readonly contract: boolean;
  readonly enabled: boolean;
}

/** What is kept of a manifest. */
export interface Manifest {
  readonly about: ManifestAbout;
  readonly models: readonly DbtModel[];
}

export interface ManifestAbout {
  readonly version: number;
  /** ISO 8601; when dbt wrote it. */
  readonly generatedAt: string | undefined;
  readonly invocationId: string | undefined;
  readonly project: string | undefined;
  /** `postgres`, `snowflake`, … */
  readonly adapter: string | undefined;
}

const longestDescription = 300;

const noConfig = node.parse({ config: {} }).config as NonNullable<Node['config']>;

/** A node as we keep it; its tests are told by the rest of the manifest. */
export function modelOf(id: string, given: Node, listed: boolean): DbtModel {
  const [type = '', pack = '', last = id] = id.split('.');
  const config: NonNullable<Node['config']> = given.config ?? noConfig;
  const { name = last, description = '' } = given;
  const version = given.version === undefined ? undefined : String(given.version);
  const meta = { ...given.meta, ...config.meta };
  const own = record(meta['activate']);
  const materialized = config.materialized ?? type;
  const ephemeral = materialized === 'ephemeral';
  return {
    uniqueId: id,
    name: version === undefined ? name : `${name}.v${version}`,
    package: given.package_name ?? pack,
    version,
    materialized,
    relation: ephemeral ? undefined : given.relation_name,
    // Of others it is never run: that of an incremental model holds its merge filter.
    compiled: ephemeral ? given.compiled_code : undefined,
    schema: given.schema,
    description: shorten(description.replaceAll(/\s+/g, ' ').trim(), longestDescription),
    owner: wordIn(own['owner']) ?? wordIn(meta['owner']),
    tags: [...new Set([given.tags, config.tags].flatMap((tags) => tags ?? []))],
    columns: Object.entries(given.columns ?? {}).map(([key, column]) => (column.name ?? key).toLowerCase()),
    key: keyOf(given, own),
    tests: [],
    file: given.original_file_path,
    contract: isEnforced(given),
    enabled: listed && config.enabled !== false && own['enabled'] !== false,
  };
}

function isEnforced({ contract, config }: Node): boolean {
  return (contract?.enforced ?? config?.contract?.enforced) === true;
}

/** The key as its authors say it, most telling first. An expression is no column. */
function keyOf(given: Node, own: Readonly<Record<string, unknown>>): readonly string[] {
  const said = [own['key'], given.primary_key, given.config?.unique_key].map((one) =>
    [one ?? []].flat().map(String),
  );
  return said.find((names) => names.length > 0 && names.every((name) => /^[\w$ ]+$/.test(name))) ?? [];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** An owner is written as a name, or as a name and an address. */
function wordIn(value: unknown): string | undefined {
  const { name, email } = record(value);
  return [value, name, email].find((one): one is string => typeof one === 'string' && one !== '');
}
