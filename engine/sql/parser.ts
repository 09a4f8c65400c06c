import type { Dialect } from '../contracts/source.ts';
import { refuse } from './tokens.ts';

interface Statement {
  readonly type: string;
}

interface Library {
  readonly Parser: new () => {
    parse(sql: string, options: { database: string }): { ast: Statement | (Statement | null)[] | null };
  };
}

// Costs a tenth of a second to load: only those who define a query pay it. CommonJS, so everything is the default.
// There is none that knows DuckDB or Databricks.
const libraries: Partial<Readonly<Record<Dialect, () => Promise<{ readonly default: Library }>>>> = {
  postgresql: () => import('node-sql-parser/build/postgresql.js'),
  redshift: () => import('node-sql-parser/build/redshift.js'),
  mysql: () => import('node-sql-parser/build/mysql.js'),
  snowflake: () => import('node-sql-parser/build/snowflake.js'),
  bigquery: () => import('node-sql-parser/build/bigquery.js'),
};

/** Refuses a text that the parser of this dialect reads as something else than a SELECT. */
export async function proveByParser(sql: string, dialect: Dialect): Promise<void> {
  const library = await libraries[dialect]?.();
  if (library === undefined) {
    return;
  }
  const parser = new library.default.Parser();
  let statements: readonly (Statement | null)[];
  try {
    const { ast } = parser.parse(sql, { database: dialect });
    statements = Array.isArray(ast) ? ast : [ast];
  } catch {
    // It knows less syntax than the database (TABLE, GROUPING SETS, …): no say in this text.
    return;
  }
  const other = statements.find((statement) => statement !== null && statement.type !== 'select');
  if (other) {
    refuse(`The query reads as ${other.type.toUpperCase()}, not as a SELECT.`, 'Write one SELECT.');
  }
}
