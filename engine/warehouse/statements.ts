import { ActivateError } from '../contracts/errors.ts';
import type { Column, Dialect, Scratch } from '../contracts/source.ts';
import { withoutSemicolon } from '../contracts/sql.ts';
import { nameIn } from '../sql/names.ts';

/**
 * The statements of the planner inside a warehouse. Three tables belong to a sync, all of them of text:
 *
 * - `told_…` (tk, tline, tlayout): what was told so far, a line per key, and by which of the sync's layouts to read it;
 * - `found_…` (fk, fline, fwas, fwaslayout, fit): where a run found the model to differ: the line as it is, as it was
 *   told, and whether the row can be used at all: one whose key is NULL or comes twice is left out;
 * - `kept_…` (ek, eline, act): keys at which `told` does not follow what was found, and those at which it does, where
 *   these are fewer.
 *
 * A key is its fields as a line has them, so that one column tells every key of every type. Names of columns differ
 * between tables, so that no statement needs an alias. None relies on transactions: each can be repeated.
 */
export interface Tables {
  readonly told: string;
  readonly found: string;
  readonly kept: string;
}

export function tablesOf(scratch: Pick<Scratch, 'table'>, name: string): Tables {
  return {
    told: scratch.table(`told_${name}`),
    found: scratch.table(`found_${name}`),
    kept: scratch.table(`kept_${name}`),
  };
}

/** How the dialects that a planner can live in differ. */
interface Way {
  readonly text: string;
  /** Text out of the hexadecimal digits of its UTF-8 bytes: no dialect reads anything else into them. */
  ofHex(digits: string): string;
  /** What stands between the name of a table and AS where one is made of a query. */
  readonly madeFor?: Readonly<Record<'told' | 'found' | 'kept', string>>;
  /** Behind an expression that is compared: by its bytes, whatever the database is used to. */
  readonly exactly?: string;
  /** What a table of what was told is made with. */
  readonly toldKey?: string;
}

const ways: Readonly<Partial<Record<Dialect, Way>>> = {
  postgresql: {
    text: 'text',
    ofHex: (digits) => `convert_from(decode('${digits}', 'hex'), 'UTF8')`,
    exactly: ' COLLATE "C"',
    toldKey: ' PRIMARY KEY',
  },
  redshift: {
    text: 'varchar(65535)',
    ofHex: (digits) => `from_varbyte(to_varbyte('${digits}', 'hex'), 'utf8')`,
    madeFor: {
      told: ' DISTSTYLE KEY DISTKEY (tk) SORTKEY (tk)',
      found: ' DISTSTYLE KEY DISTKEY (fk)',
      kept: ' DISTSTYLE KEY DISTKEY (ek)',
    },
  },
  snowflake: {
    text: 'varchar',
    ofHex: (digits) => `hex_decode_string('${digits}')`,
  },
  bigquery: {
    text: 'string',
    ofHex: (digits) => `safe_convert_bytes_to_string(from_hex('${digits}'))`,
    madeFor: { told: ' CLUSTER BY tk', found: ' CLUSTER BY fk', kept: '' },
  },
  databricks: {
    text: 'string',
    ofHex: (digits) => `decode(unhex('${digits}'), 'UTF-8')`,
  },
};

export function wayOf(dialect: Dialect): Way {
  const way = ways[dialect];
  if (way === undefined) {
    throw new ActivateError('BUG', `Nothing can be compared inside a warehouse of ${dialect}.`);
  }
  return way;
}

/** Signs that a line writes with a backslash, the backslash first: see `encodeLine`. */
const escaped = [
  [92, 'chr(92)'],
  [8, "'b'"],
  [9, "'t'"],
  [10, "'n'"],
  [11, "'v'"],
  [12, "'f'"],
  [13, "'r'"],
] as const;

/** SQL for a field of a line. Numbers, times and the like have no signs to escape. */
function fieldOf(column: Column, text: string): string {
  const plain = column.type === 'number' || column.type === 'boolean' || column.type === 'time';
  const safe = plain
    ? text
    : escaped.reduce((all, [code, letter]) => `replace(${all}, chr(${code}), chr(92) || ${letter})`, text);
  return `coalesce(${safe}, chr(92) || 'N')`;
}

export interface Comparison {
  readonly dialect: Dialect;
  readonly scratch: Pick<Scratch, 'textOf'>;
  readonly tables: Tables;
  readonly sql: string;
  /** All columns in the order of a line, those of the key first. */
  readonly columns: readonly Column[];
  readonly keyWidth: number;
  /** The number of the layout that these columns are. */
  readonly layout: number;
  /** Rows that are as they were told are found as well. */
  readonly everything: boolean;
}

/** Makes `told`, empty, if it is not there. */
export function makeTold(dialect: Dialect, { told }: Tables): string {
  const { text, toldKey = '', exactly = '', madeFor } = wayOf(dialect);
  return `CREATE TABLE IF NOT EXISTS ${told} (tk ${text}${exactly} NOT NULL${toldKey}, tline ${text} NOT NULL, tlayout ${text} NOT NULL)${madeFor?.told ?? ''}`;
}

export function drop(table: string): string {
  return `DROP TABLE IF EXISTS ${table}`;
}

/** Makes `found` of the model as it is now and of what was told. */
export function makeFound(comparison: Comparison): string {
  const { madeFor } = wayOf(comparison.dialect);
  return `CREATE TABLE ${comparison.tables.found}${madeFor?.found ?? ''} AS\n${differences(comparison)}`;
}

/** The differences as a SELECT: what `found` is made of, and what a dry run reads. */
export function differences(comparison: Comparison): string {
  const { dialect, scratch, tables, sql, columns, keyWidth, layout, everything } = comparison;
  const { exactly = '' } = wayOf(dialect);
  const fields = columns.map((column, i) =>
    fieldOf(
      column,
      scratch.textOf(column, `q.${nameIn(dialect, column.name)}`, i < keyWidth ? 'key' : 'value'),
    ),
  );
  const tabs = (some: readonly string[]): string => some.join('\n      || chr(9) || ');
  const nulls = columns.slice(0, keyWidth).map((column) => `q.${nameIn(dialect, column.name)} IS NULL`);
  return `SELECT coalesce(c.mk, tk) AS fk, c.mline AS fline, tline AS fwas, tlayout AS fwaslayout, c.fit AS fit
FROM (
  SELECT mk, mline, CASE WHEN keyless = 'n' AND count(*) OVER (PARTITION BY mk) = 1 THEN 'y' ELSE 'n' END AS fit
  FROM (
    SELECT
      (${tabs(fields.slice(0, keyWidth))})${exactly} AS mk,
      ${tabs(fields)} AS mline,
      CASE WHEN ${nulls.join(' OR ')} THEN 'y' ELSE 'n' END AS keyless
    FROM (
${withoutSemicolon(sql, dialect)}
    ) q
  ) e
) c
FULL OUTER JOIN ${tables.told} ON c.mk = tk
WHERE ${everything ? '1 = 1' : `c.mk IS NULL OR tk IS NULL OR c.mline <> tline OR tlayout <> '${layout}' OR c.fit = 'n'`}`;
}

/** Reads one table's columns as these names, whatever a dialect makes of names without quotes. */
export function selectFrom(dialect: Dialect, table: string, columns: readonly string[]): string {
  return `SELECT ${columns.map((name) => `${name} AS ${nameIn(dialect, name)}`).join(', ')} FROM ${table}`;
}

/** What was told under one key. */
export function selectTold(dialect: Dialect, { told }: Tables, key: string): string {
  return `${selectFrom(dialect, told, ['tline', 'tlayout'])} WHERE tk = ${textLiteral(dialect, key)}`;
}

/** All rows of the model are told: `told` is put in place as it is now. */
export function takeAsTold(comparison: Comparison): string {
  const everything = differences({ ...comparison, everything: true });
  const { tables, layout } = comparison;
  return `INSERT INTO ${tables.told} (tk, tline, tlayout)\nSELECT fk, fline, '${layout}' FROM (\n${everything}\n) f WHERE fit = 'y'`;
}

/** Puts lines there that were told elsewhere. */
export function fillTold(
  dialect: Dialect,
  { told }: Tables,
  layout: number,
  rows: readonly { readonly key: string; readonly line: string }[],
): string {
  const values = rows.map(
    ({ key, line }) => `(${textLiteral(dialect, key)}, ${textLiteral(dialect, line)}, '${layout}')`,
  );
  return `INSERT INTO ${told} (tk, tline, tlayout) VALUES\n${values.join(',\n')}`;
}

/** What is known of one key, to be written to `kept`: `take` it as it was found, `leave` it, or `put` this line there. */
export interface Kept {
  readonly key: string;
  readonly act: 'take' | 'leave' | 'put';
  readonly line?: string;
}

export function makeKept(dialect: Dialect, { kept }: Tables): string {
  const { text, madeFor, exactly = '' } = wayOf(dialect);
  return `CREATE TABLE IF NOT EXISTS ${kept} (ek ${text}${exactly} NOT NULL, eline ${text}, act ${text} NOT NULL)${madeFor?.kept ?? ''}`;
}

export function fillKept(dialect: Dialect, { kept }: Tables, rows: readonly Kept[]): string {
  const values = rows.map(
    ({ key, act, line }) =>
      `(${textLiteral(dialect, key)}, ${line === undefined ? 'NULL' : textLiteral(dialect, line)}, '${act}')`,
  );
  return `INSERT INTO ${kept} (ek, eline, act) VALUES\n${values.join(',\n')}`;
}

/** Whether `kept` names what is not taken in, or what is. */
export type Settling = 'all but' | 'only';

/**
 * Works what a run found into `told`, in order. Done twice, or broken off and begun anew, they come to the same, as long
 * as `found` and `kept` are there.
 */
export function settle({ told, found, kept }: Tables, layout: number, how: Settling): readonly string[] {
  const named = (act: string, key: string): string =>
    `EXISTS (SELECT 1 FROM ${kept} WHERE ek = ${key} AND act ${act})`;
  const taken = (key: string): string =>
    how === 'all but' ? `NOT ${named("<> 'take'", key)}` : named("= 'take'", key);
  const usable = "(fit = 'y' OR fline IS NULL)";
  return [
    `DELETE FROM ${told} WHERE EXISTS (SELECT 1 FROM ${found} WHERE fk = tk AND ${usable}) AND ${taken('tk')}`,
    // Apart, since not every dialect asks another table within an OR.
    `DELETE FROM ${told} WHERE ${named("= 'put'", 'tk')}`,
    `INSERT INTO ${told} (tk, tline, tlayout) SELECT fk, fline, '${layout}' FROM ${found} WHERE fit = 'y' AND ${taken('fk')}`,
    `INSERT INTO ${told} (tk, tline, tlayout) SELECT ek, eline, '${layout}' FROM ${kept} WHERE act = 'put'`,
  ];
}

/** Text as a literal that no dialect reads anything else into. */
export function textLiteral(dialect: Dialect, text: string): string {
  return wayOf(dialect).ofHex(hexOf(text));
}

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}
