import { ActivateError } from '../contracts/errors.ts';
import { type MappedField, type Meta, metas, type Origin } from '../model/mapping.ts';
import { nearest } from '../template/nearest.ts';

const flags = { 'only if empty': 'onlyIfEmpty', 'ignore nulls': 'nulls' } as const;

/**
 * How a mapping is written, in a form and in YAML alike: `field = expression`, a line each. An expression is a column's
 * name; text in quotes, a number, `true`, `false` or `null` as they stand; `{{ … }}` a template; `@synced_at`, `@run`,
 * `@sync`, `@model`, `@key` a fact about the run; `Object.Field(column)` the id of the record that the column names.
 * Behind it `, ignore nulls` and `, only if empty`.
 */
export function parseMapping(text: string, columns: readonly string[]): readonly MappedField[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const fields = lines.map((line) => {
    const at = line.indexOf('=');
    if (at < 1) {
      throw wrong(`"${line}" is no mapping.`, 'Write each as: field = column.');
    }
    return parseField(line.slice(0, at).trim(), line.slice(at + 1), columns);
  });
  const twice = fields.find((one, at) => fields.findIndex((other) => other.field === one.field) !== at);
  if (twice !== undefined) {
    throw wrong(`The field ${twice.field} is filled twice.`, 'Leave one of the two lines out.');
  }
  return fields;
}

/** One field of a mapping. Throws INPUT_INVALID, with the nearest column for one that is not there. */
export function parseField(field: string, expression: string, columns: readonly string[]): MappedField {
  let rest = expression.trim();
  let nulls: MappedField['nulls'] = 'send';
  let onlyIfEmpty = false;
  for (let found = true; found; ) {
    found = false;
    for (const [words, flag] of Object.entries(flags)) {
      const pattern = new RegExp(`,\\s*${words}$`, 'i');
      if (pattern.test(rest)) {
        rest = rest.replace(pattern, '').trim();
        nulls = flag === 'nulls' ? 'keep' : nulls;
        onlyIfEmpty ||= flag === 'onlyIfEmpty';
        found = true;
      }
    }
  }
  return { field, from: parseOrigin(field, rest, columns), nulls, onlyIfEmpty };
}

function parseOrigin(field: string, text: string, columns: readonly string[]): Origin {
  if (columns.includes(text)) {
    return { type: 'column', column: text };
  }
  if (text.includes('{{') || text.includes('{%')) {
    return { type: 'template', template: text };
  }
  const quoted = /^"([\s\S]*)"$|^'([\s\S]*)'$/.exec(text);
  if (quoted !== null) {
    return { type: 'static', value: quoted[1] ?? quoted[2] ?? '' };
  }
  if (text === 'true' || text === 'false' || text === 'null') {
    return { type: 'static', value: JSON.parse(text) as boolean | null };
  }
  if (/^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text)) {
    return { type: 'static', value: numberOf(text) };
  }
  if (text.startsWith('@')) {
    return metaOf(text.slice(1));
  }
  // The kind of record may be of two words itself, as `public.accounts` is.
  const lookup = /^([^()]+)\.([^.()]+)\(([^()]+)\)$/.exec(text);
  if (lookup !== null) {
    const [, object = '', by = '', column = ''] = lookup.map((part) => part.trim());
    return { type: 'lookup', object, by, column: known(field, column, columns) };
  }
  return { type: 'column', column: known(field, text, columns) };
}

/** A number that stays what it is; `007` and numbers of twenty digits are text, and need quotes. */
function numberOf(text: string): number {
  const value = Number(text);
  const digits = text.replace(/e.*$/i, '').replaceAll(/\D/g, '').replace(/^0+/, '').length;
  if (/^-?0\d/.test(text) || digits > 15 || !Number.isFinite(value)) {
    throw wrong(`${text} would not stay as it is.`, `Write it in quotes: "${text}".`);
  }
  return value;
}

function metaOf(name: string): Origin {
  if (!Object.hasOwn(metas, name)) {
    throw wrong(
      `There is no @${name}.`,
      `There is ${Object.keys(metas)
        .map((one) => `@${one}`)
        .join(', ')}.`,
    );
  }
  return { type: 'meta', name: name as Meta };
}

function known(field: string, column: string, columns: readonly string[]): string {
  if (columns.includes(column)) {
    return column;
  }
  const guess = nearest(column, columns);
  throw wrong(
    column === '' ? `Nothing fills ${field}.` : `There is no column "${column}" for ${field}.`,
    guess === undefined ? `The columns are: ${columns.join(', ')}.` : `Did you mean ${guess}?`,
  );
}

function wrong(message: string, fix: string): ActivateError {
  return new ActivateError('INPUT_INVALID', message, { fix });
}

/** A mapping as {@link parseMapping} reads it. */
export function writeMapping(fields: readonly MappedField[]): string {
  return fields.map((one) => `${one.field} = ${writeExpression(one)}`).join('\n');
}

/** What fills a field, as {@link parseField} reads it. */
export function writeExpression({ from, nulls, onlyIfEmpty }: Omit<MappedField, 'field'>): string {
  return `${writeOrigin(from)}${nulls === 'keep' ? ', ignore nulls' : ''}${onlyIfEmpty ? ', only if empty' : ''}`;
}

function writeOrigin(from: Origin): string {
  switch (from.type) {
    case 'column':
      return from.column;
    case 'static':
      return typeof from.value === 'string' ? `"${from.value}"` : String(from.value);
    case 'template':
      return from.template;
    case 'meta':
      return `@${from.name}`;
    case 'lookup':
      return `${from.object}.${from.by}(${from.column})`;
    default:
      return from satisfies never;
  }
}
