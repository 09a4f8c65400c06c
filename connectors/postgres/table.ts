import type { FieldSpec, FieldType } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { namesOf, quoted } from '../../engine/contracts/names.ts';
import type { Reader } from './session.ts';

/** A table as it stands in the catalog. Types are those below any domain. */
export interface Table {
  readonly schema: string;
  readonly name: string;
  /** `r` table, `p` partitioned table, `v` view, `m` materialized view, `f` foreign table. */
  readonly kind: string;
  readonly role: string;
  readonly schemaAllowed: boolean;
  readonly deleteAllowed: boolean;
  readonly rowSecurity: boolean;
  readonly rules: boolean;
  readonly triggers: readonly string[];
  readonly partitionedBy: string | null;
  /** Empty when there is none. */
  readonly primaryKey: readonly string[];
  readonly columns: readonly TableColumn[];
  readonly indexes: readonly UniqueIndex[];
  readonly constraints: readonly Constraint[];
}

export interface TableColumn {
  readonly name: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Filled by the database alone. */
  readonly computed: boolean;
  /** Without length or precision: `numeric`. */
  readonly type: string;
  /** With them: `numeric(10,2)`. */
  readonly fullType: string;
  /** `pg_type.typcategory`: `A` array, `N` number, `G` geometric, … */
  readonly category: string;
  /** For an array the type of its elements. */
  readonly element: string | null;
  readonly maxLength: number | null;
  readonly options: readonly string[] | null;
  /** Arrays of this type exist, and their text splits elements by a comma. */
  readonly listable: boolean;
  /** A sequence that the default asks, which the role may not use. */
  readonly lockedSequence: string | null;
  readonly rights: { readonly select: boolean; readonly insert: boolean; readonly update: boolean };
}

export interface UniqueIndex {
  readonly name: string;
  readonly columns: readonly string[];
  readonly partial: boolean;
  readonly expression: boolean;
  /** Checked with each statement, not at the end of the transaction. */
  readonly immediate: boolean;
  readonly valid: boolean;
}

export interface Constraint {
  readonly name: string;
  readonly columns: readonly string[];
  /** The table that a foreign key refers to. */
  readonly refersTo: string | null;
}

/** The text that names it in a statement. */
export function identifierOf(table: Table): string {
  return `${quoted(table.schema)}.${quoted(table.name)}`;
}

/** As a person writes it. */
export function titleOf(table: Table): string {
  return [table.schema, table.name]
    .map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : quoted(name)))
    .join('.');
}

/** A unique index on exactly these columns that an INSERT can be checked against. */
export function uniqueOn(table: Table, columns: readonly string[]): UniqueIndex | undefined {
  return table.indexes.find(
    (index) =>
      !index.partial &&
      !index.expression &&
      index.immediate &&
      index.valid &&
      index.columns.length === columns.length &&
      columns.every((column) => index.columns.includes(column)),
  );
}

/** Tables that the role can write; partitions are written through their table. */
export async function writableTables(reader: Reader, typed: string): Promise<Options> {
  const text = `
    SELECT name FROM (
      SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, n.nspname || '.' || c.relname AS bare, c.relname
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
        AND has_schema_privilege(n.oid, 'USAGE')
        AND (has_any_column_privilege(c.oid, 'INSERT, UPDATE') OR has_table_privilege(c.oid, 'DELETE'))
    ) AS t
    WHERE (strpos(lower(bare), $1) > 0 OR strpos(lower(name), $1) > 0) AND char_length(name) <= 75
    ORDER BY lower(relname) <> $1, strpos(lower(relname), $1) <> 1, strpos(lower(bare), $1) <> 1, name
    LIMIT 100`;
  const { rows } = await reader.ask(text, [typed.trim().toLowerCase()]);
  return rows.map(([name]) => ({ value: name ?? '', label: name ?? '' }));
}

/** Reads the catalog now. NOT_FOUND when there is no such table. */
export async function describeTable(reader: Reader, object: string): Promise<Table> {
  const names = namesOf(object);
  const [schema = 'public', name = ''] = names.length > 1 ? names : ['public', ...names];
  const { rows } = await reader.ask(describing, [schema, name]);
  const found = rows[0]?.[0];
  if (found === undefined || found === null) {
    throw new ActivateError('NOT_FOUND', `There is no table ${object} (any more).`, {
      fix: 'Choose another one, or ask who looks after the database.',
    });
  }
  return JSON.parse(found) as Table;
}

const columns = `
  SELECT json_agg(json_build_object(
    'name', a.attname,
    'notNull', a.attnotnull OR base.refuses,
    'hasDefault', a.atthasdef OR a.attidentity <> '' OR base.fills,
    'computed', a.attidentity = 'a' OR a.attgenerated <> '',
    'type', format_type(b.oid, -1),
    'fullType', format_type(b.oid, base.mod),
    'category', b.typcategory,
    'element', CASE WHEN b.typcategory = 'A' THEN format_type(b.typelem, -1) END,
    'maxLength', CASE WHEN b.oid IN (1042, 1043) AND base.mod > 4 THEN base.mod - 4 END,
    'options', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid),
    'listable', b.typarray <> 0 AND b.typdelim = ',' AND b.typcategory <> 'A',
    'lockedSequence', (
      SELECT min(s.oid::regclass::text) FROM pg_attrdef d
      JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
      JOIN pg_class s ON s.oid = p.refobjid
      WHERE d.adrelid = c.oid AND d.adnum = a.attnum
        AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END),
    'rights', json_build_object(
      'select', has_column_privilege(c.oid, a.attnum, 'SELECT'),
      'insert', has_column_privilege(c.oid, a.attnum, 'INSERT'),
      'update', has_column_privilege(c.oid, a.attnum, 'UPDATE'))
  ) ORDER BY a.attnum)
  FROM pg_attribute a
  CROSS JOIN LATERAL (
    WITH RECURSIVE below AS (
      SELECT a.atttypid AS oid, a.atttypmod AS mod, 0 AS depth
      UNION ALL
      SELECT t.typbasetype, t.typtypmod, depth + 1 FROM below JOIN pg_type t ON t.oid = below.oid WHERE t.typtype = 'd')
    SELECT (array_agg(below.oid ORDER BY depth DESC))[1] AS oid, (array_agg(below.mod ORDER BY depth DESC))[1] AS mod,
      bool_or(t.typtype = 'd' AND t.typnotnull) AS refuses,
      bool_or(t.typtype = 'd' AND t.typdefault IS NOT NULL) AS fills
    FROM below JOIN pg_type t ON t.oid = below.oid) AS base
  JOIN pg_type b ON b.oid = base.oid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

const indexes = `
  SELECT json_agg(json_build_object(
    'name', x.relname,
    'columns', (
      SELECT coalesce(json_agg(a.attname ORDER BY k.n), '[]')
      FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(att, n)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att
      WHERE k.n <= i.indnkeyatts),
    'partial', i.indpred IS NOT NULL,
    'expression', i.indexprs IS NOT NULL,
    'immediate', i.indimmediate,
    'valid', i.indisvalid AND i.indisready
  ) ORDER BY i.indisprimary DESC, x.relname)
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisunique`;

const constraints = `
  SELECT json_agg(json_build_object(
    'name', o.conname,
    'columns', (
      SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (o.conkey)),
    'refersTo', CASE WHEN o.confrelid <> 0 THEN o.confrelid::regclass::text END))
  FROM pg_constraint o WHERE o.conrelid = c.oid`;

const describing = `
  SELECT json_build_object(
    'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'role', current_user,
    'schemaAllowed', has_schema_privilege(n.oid, 'USAGE'),
    'deleteAllowed', has_table_privilege(c.oid, 'DELETE'),
    'rowSecurity', row_security_active(c.oid),
    'rules', c.relhasrules AND c.relkind <> 'v',
    'triggers', coalesce((SELECT json_agg(t.tgname ORDER BY t.tgname) FROM pg_trigger t
      WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'), '[]'),
    'partitionedBy', pg_get_partkeydef(c.oid),
    'primaryKey', coalesce((SELECT json_agg(a.attname) FROM pg_index i
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
      WHERE i.indrelid = c.oid AND i.indisprimary), '[]'),
    'columns', coalesce((${columns}), '[]'),
    'indexes', coalesce((${indexes}), '[]'),
    'constraints', coalesce((${constraints}), '[]'))::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/** The columns that can be written. */
export function fieldsOf(table: Table): readonly FieldSpec[] {
  const keys = new Set(
    table.columns.filter(({ name }) => uniqueOn(table, [name]) !== undefined).map(({ name }) => name),
  );
  return table.columns
    .filter(({ computed, rights }) => !computed && (rights.insert || rights.update))
    .map((column) => ({
      name: column.name,
      label: column.name,
      type: typeOf(column),
      required: column.notNull && !column.hasDefault,
      key: keys.has(column.name),
      ...(column.maxLength === null ? {} : { maxLength: column.maxLength }),
      ...(column.options === null ? {} : { options: column.options }),
    }));
}

function typeOf({ type, category }: TableColumn): FieldType {
  switch (type) {
    case 'smallint':
    case 'integer':
    case 'bigint':
      return 'integer';
    case 'numeric':
    case 'real':
    case 'double precision':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'date':
      return 'date';
    case 'timestamp without time zone':
    case 'timestamp with time zone':
      return 'time';
    case 'json':
    case 'jsonb':
      return 'json';
    default:
      return category === 'A' || type === 'bytea' ? 'any' : 'text';
  }
}
