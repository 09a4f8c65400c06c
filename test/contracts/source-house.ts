import { expect } from 'vitest';
import type { Connector } from '../../engine/contracts/connector.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Dialect, KeyOrder, Limits, Query, Reading, Source } from '../../engine/contracts/source.ts';
import { compareKeys, decodeFields, hasNullKey } from '../../engine/planner/keys.ts';
import { type Opened, type OpenOptions, openFor } from '../support/connect.ts';

/**
 * What values can be, each with a form that the suite writes and expects. `integer` is 64 bits with a sign, `unsigned`
 * without one; `decimal` has 38 digits, 9 of them behind the point; `datetime` has no zone, `instant` has one.
 */
export const kinds = [
  'text',
  'integer',
  'unsigned',
  'decimal',
  'float',
  'boolean',
  'date',
  'datetime',
  'instant',
  'json',
  'bytes',
] as const;
export type Kind = (typeof kinds)[number];

/** How a dialect writes what the suite needs. */
export interface Words {
  /** A name, quoted. */
  name(name: string): string;
  /** A table of the suite's, with its schema where that is needed, quoted. */
  table(name: string): string;
  /** A literal that is this text, whatever is in it. */
  text(value: string): string;
  /** The type of a column, by kind. What is left out needs a reason in `skip`, as `values: unsigned`. */
  readonly types: Readonly<Partial<Record<Kind, string>>>;
  /** The value of a kind that is said by its exact text, where `CAST('…' AS type)` will not do. */
  readonly values?: Readonly<Partial<Record<Kind, (text: string) => string>>>;
  /** A SELECT with one column `i`: the numbers from 1 up to this one. */
  series(upTo: number): string;
  /** A text of this many letters, as an expression that no server works out beforehand for a column `i`. */
  long(letters: number): string;
  /** An expression that fails where `i` is 5000, and only there. */
  readonly failing: string;
  /** A SELECT of a column `k` that runs for half a minute or more. It holds the mark, by which it is found there. */
  slow(mark: string): string;
}

/** A table to be made. `rows` have the exact text of their values. */
export interface Given {
  readonly name: string;
  readonly columns: readonly (readonly [name: string, kind: Kind])[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly primaryKey?: readonly string[];
}

/** A warehouse for the suite, with nothing in it but what the suite makes. */
export interface House {
  /** What a person types to connect: with a careless role that may do more than read, where there are roles. */
  readonly config: Raw;
  readonly options?: OpenOptions;
  /** A role that may read what the suite makes, and nothing else. */
  readonly carefulConfig?: Raw;
  /** The same with a password (a key, a token) that is wrong. */
  readonly wrongConfig?: Raw;
  /** What must never be told. */
  readonly secrets?: readonly string[];
  /** Runs one statement as one who may do all. */
  run(statement: string): Promise<unknown>;
  /** Makes a table, where that takes more than `run`: at a fake that runs no SQL, say. */
  make?(given: Given): Promise<void>;
  /** How many queries with this mark run in the warehouse now: asked of itself, not of the source. */
  running(mark: string): Promise<number>;
  /** Leads to the warehouse until `strike`, which breaks an answer off in its middle. */
  readonly interrupted?: { readonly config: Raw; strike(): unknown };
  /** Leads to the warehouse over a connection that can be cut at any byte. */
  readonly cut?: Cut & { readonly config: Raw };
  /** What the processes that carry rows take up, in bytes. This process unless said otherwise. */
  memoryBytes?(): number | Promise<number>;
  /** What attacks have left behind besides tables: files. None is best. */
  traces?(): readonly string[] | Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The way back of a connection. */
export interface Cut {
  /** Bytes that came back over it since {@link Cut.after}. */
  readonly came: number;
  /** From now on, so many bytes come back over all connections together, and then each breaks. */
  after(bytes: number): void;
}

/** What a connector shows of itself to the suite. */
export interface SourceHarness {
  readonly connector: Connector;
  readonly dialect: Dialect;
  readonly words: Words;
  start(): Promise<House>;
  /** Statements of its dialect that write, besides those that all know, to a table named like this. */
  attacks?(table: string): readonly string[];
  /** SELECTs that write by calling a function. Those of one that has to be made first, the house makes. */
  calls?(table: string): readonly string[];
  /** How much memory may be taken for a result of 200 MB, in MB: 100 unless it has a limit of its own that says more. */
  readonly memoryMb?: number;
  /** Names of columns that it can't have, among those that the suite tries; with the reason. */
  readonly impossibleNames?: { readonly names: readonly string[]; readonly because: string };
  /** Points that can't hold for it, each with the reason, as a sentence. */
  readonly skip?: Readonly<Record<string, string>>;
}

/** What a test has at hand. */
export interface SourceStage {
  readonly harness: SourceHarness;
  readonly words: Words;
  readonly house: House;
  readonly source: Source;
  readonly opened: Opened;
  /** Makes a table; answers with what SQL calls it. */
  make(given: Given): Promise<string>;
}

export const limits: Limits = { timeoutMs: 30_000 };

export async function openSource(
  { connector }: SourceHarness,
  house: House,
  config: Raw = house.config,
): Promise<Opened & { readonly source: Source }> {
  const opened = await openFor(connector, config, house.options);
  return { ...opened, source: opened.connection.source as Source };
}

/** The expression for a value, of which the exact text is known. */
export function expressionOf({ text, types, values = {} }: Words, kind: Kind, value: string | null): string {
  if (value === null) {
    return 'NULL';
  }
  if (kind === 'text') {
    return text(value);
  }
  return values[kind]?.(value) ?? `CAST('${value}' AS ${types[kind]})`;
}

const rowsAtOnce = 200;

/** Makes a table by statements, as all dialects have them. */
export async function makeBySql(
  words: Words,
  house: House,
  { name, columns, rows, primaryKey = [] }: Given,
): Promise<void> {
  const table = words.table(name);
  const definitions = columns.map(([column, kind]) => `${words.name(column)} ${words.types[kind]}`);
  const key = primaryKey.length === 0 ? [] : [`PRIMARY KEY (${primaryKey.map(words.name).join(', ')})`];
  await house.run(`CREATE TABLE ${table} (${[...definitions, ...key].join(', ')})`);
  for (let at = 0; at < rows.length; at += rowsAtOnce) {
    const values = rows
      .slice(at, at + rowsAtOnce)
      .map((row) => row.map((value, i) => expressionOf(words, columns[i]?.[1] ?? 'text', value)).join(', '));
    await house.run(`INSERT INTO ${table} VALUES ${values.map((one) => `(${one})`).join(', ')}`);
  }
}

export interface Read {
  readonly order: readonly KeyOrder[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Reads all of a query, and holds the reading to its form: whole lines with the fields asked for, and the order that it
 * says. What comes unsorted is sorted here.
 */
export async function readAll(source: Source, query: Query, given: Limits = limits): Promise<Read> {
  const reading = await source.read(query, given);
  const bytes = await bytesOf(reading);
  const width = new Set([...query.key, ...query.columns]).size;
  const { order } = reading;
  const lines = linesIn(bytes);
  const known = lines.filter((line) => !hasNullKey(line, 0, order.length));
  const inOrder = known.toSorted((a, b) => compareKeys(a, 0, b, 0, order));
  expect(order).toHaveLength(query.key.length);
  if (reading.sorted) {
    expect(known.map(String)).toEqual(inOrder.map(String));
  }
  const all = reading.sorted ? lines : [...inOrder, ...lines.filter((line) => !known.includes(line))];
  return { order, rows: all.map((line) => fieldsOf(line, width)) };
}

function fieldsOf(line: Uint8Array, width: number): readonly (string | null)[] {
  expect(Buffer.from(line).toString('utf8').split('\t')).toHaveLength(width);
  return decodeFields(line, width);
}

export async function bytesOf(reading: Reading): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

function linesIn(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\n', at);
    expect(end, 'the last line has an end').not.toBe(-1);
    lines.push(bytes.subarray(at, end + 1));
    at = end + 1;
  }
  return lines;
}

/** What a question is refused with; fails when it is answered. */
export async function refusal(asking: Promise<unknown>): Promise<ActivateError> {
  const answer = await asking.then(
    (value: unknown) => ({ value }),
    (error: unknown) => ({ error }),
  );
  expect(answer).toEqual({ error: expect.objectContaining({ name: 'ActivateError' }) });
  return (answer as { error: ActivateError }).error;
}

/** Every way to ask a query with a column `k`, by name; each asks once it is called. */
export function waysToAsk(
  source: Source,
  sql: string,
): readonly (readonly [string, () => Promise<unknown>])[] {
  return [
    ['describe', () => source.describe(sql, limits)],
    ['preview', () => source.preview(sql, 5, limits)],
    ['count', () => source.count(sql, limits)],
    ['suggestKey', () => source.suggestKey(sql, limits)],
    ['read', () => source.read({ sql, key: ['k'], columns: ['k'] }, limits).then(bytesOf)],
  ];
}
