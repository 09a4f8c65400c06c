import { isMap, type Document as Parsed, parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { ActivateError } from '../contracts/errors.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,59}$/, 'a name has small letters, digits and dashes');

const connection = z.strictObject({
  connector: z.string(),
  config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  /** References, as `${CONNECTION_CRM_TOKEN}`: what is secret is never in the file. */
  secrets: z.record(z.string(), z.string()).default({}),
});

const model = z.strictObject({ source: z.string(), key: z.array(z.string()).default([]), sql: z.string() });

const scheduled = {
  model: z.string(),
  schedule: z.string(),
  time_zone: z.string().default('UTC'),
  report_to: z.string().optional(),
  paused: z.boolean().default(false),
};

const sync = z.looseObject({
  ...scheduled,
  framework: z.enum(['objects', 'events', 'audiences', 'files', 'tasks']),
  destination: z.string(),
});

const alert = z.looseObject(scheduled);

const document = z.strictObject({
  sources: z.record(name, connection).default({}),
  destinations: z.record(name, connection).default({}),
  models: z.record(name, model).default({}),
  alerts: z.record(name, alert).default({}),
  syncs: z.record(name, sync).default({}),
});

/** An installation, or a part of it, as a file. */
export type ConfigDocument = z.output<typeof document>;
export type DeclaredConnection = z.output<typeof connection>;
export type DeclaredSync = z.output<typeof sync>;
export type DeclaredAlert = z.output<typeof alert>;

/** Reads a file. All mistakes come in one INPUT_INVALID error, each with its line. */
export function readDocument(text: string): ConfigDocument {
  const parsed = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  if (parsed.errors.length > 0) {
    throw mistakes(parsed.errors.map((error) => error.message.split('\n')[0] ?? 'it is no YAML'));
  }
  const checked = document.safeParse(parsed.toJS({ maxAliasCount: 50 }) ?? {});
  if (!checked.success) {
    throw mistakes(
      checked.error.issues.map(
        (issue) => `${issue.path.join('.')}${lineOf(parsed, text, issue.path)}: ${issue.message}`,
      ),
    );
  }
  return checked.data;
}

/** Where something stands in the file, as ` (line 12)`. */
function lineOf(parsed: Parsed, text: string, path: readonly PropertyKey[]): string {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const node: unknown = isMap(parsed.contents) ? parsed.getIn(path.slice(0, depth), true) : undefined;
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] !== undefined) {
      return ` (line ${text.slice(0, range[0]).split('\n').length})`;
    }
  }
  return '';
}

function mistakes(all: readonly string[]): ActivateError {
  const sentence = `The file has ${all.length === 1 ? 'a mistake' : `${all.length} mistakes`}:\n${all.map((one) => `  - ${one}`).join('\n')}`;
  return new ActivateError('INPUT_INVALID', sentence, { fields: { yaml: sentence } });
}

/** Writes a file that {@link readDocument} reads as the same. Parts that are empty are left out. */
export function writeDocument(given: ConfigDocument): string {
  const filled = Object.fromEntries(
    Object.entries(given).filter(([, part]) => Object.keys(part as object).length > 0),
  );
  return stringify(filled, { lineWidth: 110, blockQuote: 'literal', defaultStringType: 'PLAIN' });
}
