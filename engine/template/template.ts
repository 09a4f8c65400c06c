import { Liquid, type Template as Parsed } from 'liquidjs';
import type { Rich } from '../contracts/card.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import { literal, mentionClose, mentionOpen, parseMarkup, stripMarks } from './markup.ts';
import { nearest } from './nearest.ts';

/** A row by column name, every value in its exact text form. */
export type RowText = Readonly<Record<string, string | null>>;

/** What a template can see. */
export interface Scope {
  readonly row: RowText;
  /** The row before the change; empty when there was none. */
  readonly previous: RowText;
  readonly alert: { readonly name: string };
  readonly change: string;
}

export interface Template {
  /** The columns it reads, of the row or of the one before. */
  readonly columns: readonly string[];
  /** Throws TEMPLATE_INVALID when this row makes it fail or run away. */
  render(scope: Scope): Rich;
}

// One row's message: a template that takes longer, or builds more, is a mistake and not a message.
const limits = { parseLimit: 20_000, renderLimit: 100, memoryLimit: 2_000_000 };

const builtIn = ['row', 'previous', 'alert', 'change', 'forloop', 'tablerowloop'];

function createEngine(write: (text: string) => string): Liquid {
  const engine = new Liquid({
    ...limits,
    // No template reads a file: there are none to include.
    templates: {},
    relativeReference: false,
    strictFilters: true,
    ownPropertyOnly: true,
    outputEscape: (value: unknown) => (value === null || value === undefined ? '' : write(stringify(value))),
  });
  engine.registerFilter('number', (value: unknown, digits?: unknown) => {
    const number = Number(value);
    const fraction =
      digits === undefined
        ? {}
        : { minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) };
    return value === null || value === '' || Number.isNaN(number)
      ? value
      : new Intl.NumberFormat('en', fraction).format(number);
  });
  return engine;
}

/** Writes messages: what a value holds means nothing, whatever it looks like. */
const messages = createEngine(escapeOutput);

messages.registerFilter('mention', (value: unknown) => {
  const email = stripMarks(stringify(value ?? '')).trim();
  return email === '' ? '' : `${mentionOpen}${encodeURIComponent(email)}${mentionClose}`;
});

/** Writes values of fields, titles of tasks, names of files: text as it is. */
const texts = createEngine((text) => text);

/** Writes HTML: a value is text in it, whatever it looks like. */
const pages = createEngine(escapeHtml);

// As it comes, this filter lets a value through as it is.
pages.registerFilter('raw', (value: unknown) => value);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for quoted attributes alike. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign);
}

function stringify(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Everything between the mention marks is ours; everything else is a value and means nothing. */
function escapeOutput(text: string): string {
  return text
    .split(new RegExp(`(${mentionOpen}[^${mentionOpen}${mentionClose}]*${mentionClose})`))
    .map((part) => (part.startsWith(mentionOpen) ? part : literal(part)))
    .join('');
}

/**
 * Reads a Liquid template over these columns. Throws TEMPLATE_INVALID, in a sentence for the person: bad syntax with
 * its line, an unknown filter, an unknown variable with the nearest column.
 */
export function compileTemplate(source: string, columns: readonly Column[]): Template {
  const parsed = parse(messages, source);
  const convert = converter(columns);
  return {
    columns: columnsOf(messages, parsed, columns),
    render: (scope) => {
      const row = convert(scope.row);
      const values = {
        ...row,
        row,
        previous: convert(scope.previous),
        alert: scope.alert,
        change: scope.change,
      };
      return parseMarkup(render(messages, parsed, values).trim());
    },
  };
}

export interface TextTemplate {
  readonly columns: readonly string[];
  /**
   * `about` are names beside those of the columns: the model's, the run's. `previous` is the row before the change, where
   * there was one. Throws TEMPLATE_INVALID.
   */
  render(row: RowText, about?: Readonly<Record<string, unknown>>, previous?: RowText): string;
}

/** A template for plain text: no markup, no mentions. `about` names what it may use beside the columns. */
export function compileText(
  source: string,
  columns: readonly Column[],
  about: readonly string[] = [],
): TextTemplate {
  return compileBy(texts, source, columns, about);
}

/** A template for HTML: values are escaped, so that they are text and no markup. */
export function compileHtml(
  source: string,
  columns: readonly Column[],
  about: readonly string[] = [],
): TextTemplate {
  return compileBy(pages, source, columns, about);
}

function compileBy(
  engine: Liquid,
  source: string,
  columns: readonly Column[],
  about: readonly string[],
): TextTemplate {
  const parsed = parse(engine, source);
  const convert = converter(columns);
  return {
    columns: columnsOf(engine, parsed, columns, about),
    render: (row, others = {}, previous = {}) => {
      const values = convert(row);
      return render(engine, parsed, { ...others, ...values, row: values, previous: convert(previous) });
    },
  };
}

/** The columns that a template reads. Refuses names that are neither a column nor ours. */
function columnsOf(
  engine: Liquid,
  parsed: Parsed[],
  columns: readonly Column[],
  about: readonly string[] = [],
): readonly string[] {
  const names = columns.map((column) => column.name);
  const used = variables(engine, parsed)
    .filter(([root]) => !about.includes(String(root)) || names.includes(String(root)))
    .map((path) => columnOf(path, names));
  return [...new Set(used.filter((name) => name !== undefined))];
}

function parse(engine: Liquid, source: string): Parsed[] {
  try {
    return engine.parse(stripMarks(source));
  } catch (cause) {
    throw invalid(cause);
  }
}

function render(engine: Liquid, parsed: Parsed[], values: object): string {
  try {
    return engine.renderSync(parsed, values) as string;
  } catch (cause) {
    throw invalid(cause);
  }
}

function variables(engine: Liquid, parsed: Parsed[]): (string | number)[][] {
  try {
    return engine.globalVariableSegmentsSync(parsed) as (string | number)[][];
  } catch (cause) {
    throw invalid(cause);
  }
}

function invalid(cause: unknown): ActivateError {
  const message = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  if (/limit exceeded/.test(message)) {
    return new ActivateError('TEMPLATE_INVALID', 'The message takes too long to write: does it loop?', {
      cause,
      fix: 'Make the message shorter, without loops over large ranges.',
    });
  }
  return new ActivateError('TEMPLATE_INVALID', `The message can't be read: ${message}.`, {
    cause,
    fix: 'A value is written {{ column }}, with a filter {{ column | upcase }}.',
  });
}

/** The column that a variable means, or undefined when it is one of ours. Refuses what is neither. */
function columnOf(path: readonly (string | number)[], names: readonly string[]): string | undefined {
  const [root, member] = path.map(String);
  const viaRow = root === 'row' || root === 'previous';
  if (viaRow && member === undefined) {
    return undefined;
  }
  const name = viaRow ? (member ?? '') : (root ?? '');
  if (names.includes(name)) {
    return name;
  }
  if (!viaRow && builtIn.includes(name)) {
    return undefined;
  }
  const guess = nearest(name, names);
  const written = viaRow ? `${root}.${name}` : name;
  throw new ActivateError(
    'TEMPLATE_INVALID',
    `There is no column "${name}", which {{ ${written} }} asks for.`,
    {
      fix:
        guess === undefined
          ? `The columns are: ${names.join(', ')}.`
          : `Did you mean {{ ${viaRow ? `${root}.` : ''}${guess} }}?`,
    },
  );
}

/** Turns exact text into what templates compare and loop over, where that loses nothing. */
function converter(columns: readonly Column[]): (row: RowText) => Record<string, unknown> {
  const types = new Map(columns.map((column) => [column.name, column.type]));
  return (row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, text]) => [
        name,
        text === null ? null : typed(stripMarks(text), types.get(name)),
      ]),
    );
}

function typed(text: string, type: Column['type'] | undefined): unknown {
  if (type === 'number') {
    const number = Number(text);
    return Number.isFinite(number) && String(number) === text ? number : text;
  }
  if (type === 'boolean') {
    return text === 't' || text === 'true';
  }
  if (type === 'json') {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text;
}
