import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { parseField, writeExpression } from '../mapping/expression.ts';
import type { MappedField, Origin } from '../model/mapping.ts';
import type { FrameworkId } from '../store/syncs.ts';

type Plain = Readonly<Record<string, unknown>>;

/** Settings that are lists of mapped fields: written as `field: expression`. */
const mappings: Readonly<Record<FrameworkId, readonly string[]>> = {
  notify: [],
  objects: ['fields'],
  events: ['properties'],
  audiences: ['traits'],
  files: [],
  tasks: ['fields'],
  mail: [],
};

/** Settings whose own keys are names of a person's and stay as they are. */
const named = ['person', 'identifiers'];

/** Settings as they are written in a file: names in snake case, mappings as expressions. */
export function writeSettings(framework: FrameworkId, settings: Plain): Plain {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [snake(name), written(framework, name, value)]),
  );
}

function written(framework: FrameworkId, name: string, value: unknown): unknown {
  if (mappings[framework].includes(name)) {
    const fields = value as readonly MappedField[];
    return Object.fromEntries(fields.map((one) => [one.field, writeExpression(one)]));
  }
  if (name === 'event') {
    return writeExpression({ from: value as Origin, nulls: 'send', onlyIfEmpty: false });
  }
  if (name === 'archive') {
    const { field, from } = value as { readonly field: string; readonly from: Origin };
    return { [field]: writeExpression({ from, nulls: 'send', onlyIfEmpty: false }) };
  }
  return value;
}

/** The reverse of {@link writeSettings}. Throws INPUT_INVALID at the name at fault. */
export function readSettings(framework: FrameworkId, given: Plain, columns: readonly string[]): Plain {
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => {
      const name = camel(key);
      return [name, read(framework, name, value, columns)];
    }),
  );
}

function read(framework: FrameworkId, name: string, value: unknown, columns: readonly string[]): unknown {
  if (mappings[framework].includes(name)) {
    return Object.entries(mapOf(name, value)).map(([field, expression]) =>
      parsed(`${name}.${field}`, field, expression, columns),
    );
  }
  if (name === 'event') {
    return parsed('event', 'event', value, columns).from;
  }
  if (name === 'archive') {
    const [[field, expression] = ['', '']] = Object.entries(mapOf(name, value));
    return { field, from: parsed(`archive.${field}`, field, expression, columns).from };
  }
  return value;
}

/** One mapped field; `at` is where a mistake in it belongs. */
function parsed(at: string, field: string, value: unknown, columns: readonly string[]): MappedField {
  try {
    return parseField(field, text(value), columns);
  } catch (thrown) {
    const { code, message, fix } = asActivateError(thrown);
    const sentence = fix === undefined ? message : `${message} ${fix}`;
    throw new ActivateError(code, message, { cause: thrown, fields: { [at]: sentence } });
  }
}

function mapOf(name: string, value: unknown): Plain {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const sentence = `${name} is written as names with what fills them, a line each: Email: email.`;
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { [name]: sentence } });
  }
  return value as Plain;
}

/** YAML reads `42` and `true` as what they are; as an expression they are written just so. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A setting's name as a file has it. */
export function snake(name: string): string {
  return named.includes(name) ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function camel(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
