import type { FieldSpec, FieldType } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import type { Link, Row } from './session.ts';

/** A table as the server describes it. */
export interface Table {
  /** Who asks, as a statement names them: `'activate'@'%'`. */
  readonly user: string;
  readonly database: string;
  readonly name: string;
  readonly isView: boolean;
  /** Changes can be undone: not with MyISAM. */
  readonly transactional: boolean;
  readonly engine: string;
  readonly columns: readonly TableColumn[];
  readonly indexes: readonly UniqueIndex[];
  readonly constraints: readonly Constraint[];
  readonly triggers: readonly string[];
  /** Tables whose rows are deleted with rows of this one. */
  readonly cascadesTo: readonly string[];
}

export interface TableColumn {
  readonly name: string;
  /** Without length: `varchar`. */
  readonly type: string;
  /** With all: `varchar(40)`, `int(10) unsigned`, `enum('a','b')`. */
  readonly fullType: string;
  readonly charset: string | null;
  readonly collation: string | null;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Filled by the database alone. */
  readonly computed: boolean;
  readonly maxLength: number | null;
}

export interface UniqueIndex {
  readonly name: string;
  readonly columns: readonly string[];
  /** Of whole values, and not of their beginnings or of an expression. */
  readonly whole: boolean;
}

export interface Constraint {
  readonly name: string;
  readonly columns: readonly string[];
}

export const system = `('information_schema', 'mysql', 'performance_schema', 'sys')`;

/** A name as a statement has it. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** The text that names it in a statement. */
export function identifierOf(table: Pick<Table, 'database' | 'name'>): string {
  return `${quoted(table.database)}.${quoted(table.name)}`;
}

/** As a person writes it. */
export function titleOf(table: Pick<Table, 'database' | 'name'>): string {
  return [table.database, table.name].map(nameOf).join('.');
}

/** A name as a person writes it. */
export function nameOf(name: string): string {
  return /^[\w$]+$/.test(name) ? name : quoted(name);
}

/** A unique index on exactly these columns. */
export function uniqueOn(table: Table, columns: readonly string[]): UniqueIndex | undefined {
  return table.indexes.find(
    (index) =>
      index.whole &&
      index.columns.length === columns.length &&
      columns.every((column) => index.columns.includes(column)),
  );
}

/** Tables that the user can see, those of the connection's own database first. */
export async function tablesBy(link: Link, typed: string): Promise<Options> {
  const rows = await link.ask(
    `SELECT table_schema AS d, table_name AS n, table_schema = DATABASE() AS o FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ${system}
       AND LOCATE(?, LOWER(CONCAT(table_schema, '.', table_name))) > 0
     ORDER BY o DESC, LOWER(table_name) <> ?, LOCATE(?, LOWER(table_name)) <> 1, d, n LIMIT 300`,
    Array.from({ length: 3 }, () => typed.trim().toLowerCase().replaceAll('`', '')),
  );
  return rows
    .map(([database, name, own]) => {
      const title = titleOf({ database: database ?? '', name: name ?? '' });
      return own === '1' ? nameOf(name ?? '') : title;
    })
    .filter((title) => title.length <= 75)
    .slice(0, 100)
    .map((title) => ({ value: title, label: title }));
}

/** Reads what the server says of a table now. NOT_FOUND when there is no such table. */
export async function describeTable(link: Link, object: string): Promise<Table> {
  const [database, name] = namesOf(object);
  const at = [database, name];
  const where = 'table_schema = COALESCE(?, DATABASE()) AND table_name = ?';
  const [found] = await link.ask(
    `SELECT t.table_schema AS d, t.table_type AS k, t.engine AS e, COALESCE(g.transactions, 'NO') AS x, CURRENT_USER() AS u
     FROM information_schema.tables t LEFT JOIN information_schema.engines g ON g.engine = t.engine
     WHERE t.${where.replace('AND ', 'AND t.')}`,
    at,
  );
  if (found === undefined) {
    throw new ActivateError('NOT_FOUND', `There is no table ${object} (any more).`, {
      fix: 'Choose another one, or ask who looks after the database.',
    });
  }
  const [schema, kind, engine, transactions, user] = found;
  const own = [schema ?? '', name];
  const columns = await link.ask(
    `SELECT column_name AS c, data_type AS t, column_type AS f, character_set_name AS s, collation_name AS l,
       is_nullable AS u, column_default AS d, extra AS e, character_maximum_length AS m
     FROM information_schema.columns WHERE ${where} ORDER BY ordinal_position`,
    own,
  );
  const described = columns.map(columnOf);
  const parts = await link.ask(
    `SELECT index_name AS i, column_name AS c, sub_part AS s FROM information_schema.statistics
     WHERE ${where} AND non_unique = 0 ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index`,
    own,
  );
  const keys = await link.ask(
    `SELECT constraint_name AS i, column_name AS c FROM information_schema.key_column_usage
     WHERE ${where} AND referenced_table_name IS NOT NULL ORDER BY constraint_name, ordinal_position`,
    own,
  );
  const triggers = await link.ask(
    `SELECT trigger_name AS n FROM information_schema.triggers
     WHERE event_object_schema = ? AND event_object_table = ? ORDER BY trigger_name`,
    own,
  );
  const below = await link.ask(
    `SELECT DISTINCT table_name AS n FROM information_schema.referential_constraints
     WHERE unique_constraint_schema = ? AND referenced_table_name = ? AND delete_rule IN ('CASCADE', 'SET NULL')`,
    own,
  );
  return {
    user: (user ?? '').replace(/^(.*)@(.*?)$/, "'$1'@'$2'"),
    database: schema ?? '',
    name,
    isView: kind !== 'BASE TABLE',
    engine: engine ?? '',
    transactional: transactions === 'YES',
    columns: described,
    indexes: grouped(parts).map(([index, rows]) => ({
      name: index,
      columns: rows.map((row) => row[1] ?? ''),
      whole: rows.every((row) => row[1] !== null && row[2] === null),
    })),
    constraints: grouped(keys).map(([constraint, rows]) => ({
      name: constraint,
      columns: rows.map((row) => row[1] ?? ''),
    })),
    triggers: triggers.map((row) => row[0] ?? ''),
    cascadesTo: below.map((row) => row[0] ?? ''),
  };
}

/** `name`, `database.name`, each with or without backticks. */
export function namesOf(object: string): readonly [database: string | null, name: string] {
  const part = '(?:`((?:[^`]|``)+)`|([^`.]+))';
  const match = new RegExp(`^(?:${part}\\.)?${part}$`).exec(object.trim());
  const plain = (inQuotes: string | undefined, bare: string | undefined): string | undefined =>
    inQuotes?.replaceAll('``', '`') ?? bare;
  return [plain(match?.[1], match?.[2]) ?? null, plain(match?.[3], match?.[4]) ?? object];
}

function columnOf(row: Row): TableColumn {
  const [name, type, fullType, charset, collation, nullable, given, extra, maxLength] = row;
  const more = (extra ?? '').toLowerCase();
  const kind = (type ?? '').toLowerCase();
  return {
    name: name ?? '',
    type: kind,
    fullType: fullType ?? '',
    charset: charset ?? null,
    collation: collation ?? null,
    notNull: nullable === 'NO',
    // MariaDB says NULL as a word where that is what a column is filled with.
    hasDefault: given !== null || more.includes('auto_increment'),
    computed: /generated/.test(more.replace('default_generated', '')),
    maxLength: /^(var)?char$/.test(kind) && maxLength !== null ? Number(maxLength) : null,
  };
}

function grouped(rows: readonly Row[]): readonly (readonly [string, readonly Row[]])[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const name = row[0] ?? '';
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups];
}

const shapes = /^(geometry|point|linestring|polygon|multi\w+|geometrycollection|geomcollection|vector)$/;

/** The columns that can be written. */
export function fieldsOf(table: Table): readonly FieldSpec[] {
  return table.columns
    .filter(({ computed, type }) => !computed && !shapes.test(type))
    .map((column) => {
      const options = optionsOf(column);
      return {
        name: column.name,
        label: column.name,
        type: typeOf(column),
        required: column.notNull && !column.hasDefault,
        key: uniqueOn(table, [column.name]) !== undefined,
        ...(column.maxLength === null ? {} : { maxLength: column.maxLength }),
        ...(options === undefined ? {} : { options }),
      };
    });
}

function optionsOf({ type, fullType }: TableColumn): readonly string[] | undefined {
  if (type !== 'enum') {
    return undefined;
  }
  return [...fullType.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));
}

function typeOf({ type, fullType }: TableColumn): FieldType {
  switch (type) {
    case 'tinyint':
      return /^tinyint\(1\)/.test(fullType) ? 'boolean' : 'integer';
    case 'bit':
      return fullType === 'bit(1)' ? 'boolean' : 'integer';
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
      return 'integer';
    case 'decimal':
    case 'float':
    case 'double':
      return 'number';
    case 'date':
      return 'date';
    case 'datetime':
    case 'timestamp':
      return 'time';
    case 'json':
      return 'json';
    default:
      return /blob|binary/.test(type) ? 'any' : 'text';
  }
}
