import { isMap, isNode, isScalar, isSeq, type Document as Parsed, parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { type LineOf, mistakesIn } from './mistakes.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,59}$/, 'a name has small letters, digits and dashes');

const connection = z.strictObject({
  connector: z.string(),
  config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  /** References, as `${CONNECTION_CRM_TOKEN}`: what is secret is never in the file. */
  secrets: z.record(z.string(), z.string()).default({}),
});

const dbtProject = z.strictObject({
  source: z.string(),
  from: z.enum(['platform', 'url', 'file']),
  config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  secrets: z.record(z.string(), z.string()).default({}),
});

const model = z.strictObject({
  source: z.string(),
  key: z.array(z.string()).default([]),
  /** Columns that tell who somebody is; recognised when left out. */
  personal: z.array(z.string()).optional(),
  /** The dbt model that it reads, as `shop/accounts`; what reads all of it, where there is no SQL. */
  dbt: z.string().optional(),
  sql: z.string().default(''),
});

const scheduled = {
  model: z.string(),
  schedule: z.string(),
  time_zone: z.string().default('UTC'),
  report_to: z.string().optional(),
  paused: z.boolean().default(false),
  /** See engine/model/policy.ts; names in snake case. */
  approval: z.record(z.string(), z.unknown()).optional(),
};

const sync = z.looseObject({
  ...scheduled,
  framework: z.enum(['objects', 'events', 'audiences', 'files', 'tasks', 'mail']),
  destination: z.string(),
});

const alert = z.looseObject(scheduled);

const document = z.strictObject({
  sources: z.record(name, connection).default({}),
  destinations: z.record(name, connection).default({}),
  dbt: z.record(name, dbtProject).default({}),
  models: z.record(name, model).default({}),
  alerts: z.record(name, alert).default({}),
  syncs: z.record(name, sync).default({}),
});

/** An installation, or a part of it, as a file. */
export type ConfigDocument = z.output<typeof document>;
export type DeclaredConnection = z.output<typeof connection>;
export type DeclaredDbt = z.output<typeof dbtProject>;
export type DeclaredSync = z.output<typeof sync>;
export type DeclaredAlert = z.output<typeof alert>;

/** Reads a file. All mistakes come in one INPUT_INVALID error, each with its line. */
export function readDocument(text: string): ConfigDocument {
  const parsed = parse(text);
  if (parsed.errors.length > 0) {
    throw mistakesIn(parsed.errors.map((error) => (error.message.split('\n')[0] ?? '').replace(/:$/, '.')));
  }
  const checked = document.safeParse(parsed.toJS({ maxAliasCount: 50 }) ?? {});
  if (!checked.success) {
    const line = lineIn(parsed, text);
    throw mistakesIn(
      checked.error.issues.map((issue) => {
        const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
        return `${issue.path.join('.')}${line([...issue.path.map(String), ...unknown])}: ${issue.message}`;
      }),
    );
  }
  return checked.data;
}

/** Says where things stand in a file that {@link readDocument} takes. */
export function linesOf(text: string): LineOf {
  return lineIn(parse(text), text);
}

function parse(text: string): Parsed {
  return parseDocument(text, { prettyErrors: true, uniqueKeys: true });
}

/** Goes as far along a path as the file has it. */
function lineIn(parsed: Parsed, text: string): LineOf {
  return (path) => {
    let node: unknown = parsed.contents;
    let start: number | undefined;
    for (const name of path) {
      const found = within(node, name);
      if (found === undefined) {
        break;
      }
      start = found.start;
      node = found.value;
    }
    return start === undefined ? '' : ` (line ${text.slice(0, start).split('\n').length})`;
  };
}

/** What stands below a name, and where the name stands. */
function within(
  node: unknown,
  name: string,
): { readonly start: number | undefined; readonly value: unknown } | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
    return pair === undefined ? undefined : { start: startOf(pair.key), value: pair.value };
  }
  const item = isSeq(node) ? node.items[Number(name)] : undefined;
  return item === undefined ? undefined : { start: startOf(item), value: item };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** Writes a file that {@link readDocument} reads as the same. Parts that are empty are left out. */
export function writeDocument(given: ConfigDocument): string {
  const filled = Object.fromEntries(
    Object.entries(given).filter(([, part]) => Object.keys(part as object).length > 0),
  );
  return stringify(filled, { lineWidth: 110, blockQuote: 'literal', defaultStringType: 'PLAIN' });
}
