import type { Dialect } from '../contracts/source.ts';
import { withoutSemicolon } from '../contracts/sql.ts';
import { nameIn } from './names.ts';

/**
 * A SELECT that tells how well a key tells the rows of a query apart: one row of three whole numbers (or NULL for 0), all
 * rows, those whose key has no NULL in it, and how many such keys there are. It reads the query once, and has nothing in
 * it that not every dialect knows.
 */
export function keyQuestion(dialect: Dialect, sql: string, key: readonly string[]): string {
  const columns = key.map((name, i) => `${exactly(dialect, nameIn(dialect, name))} AS k${i}`);
  const places = key.map((_, i) => i + 1).join(', ');
  const present = key.map((_, i) => `k${i} IS NOT NULL`).join(' AND ');
  return `SELECT
  SUM(n) AS all_rows,
  SUM(CASE WHEN ${present} THEN n ELSE 0 END) AS with_key,
  SUM(CASE WHEN ${present} THEN 1 ELSE 0 END) AS different_keys
FROM (
  SELECT ${columns.join(', ')}, COUNT(*) AS n
  FROM (
${withoutSemicolon(sql, dialect)}
  ) examined
  GROUP BY ${places}
) found`;
}

/** To most collations of MySQL, texts are the same that differ in case or in blanks at the end; to a snapshot they are not. */
function exactly(dialect: Dialect, column: string): string {
  return dialect === 'mysql' ? `CAST(${column} AS BINARY)` : column;
}
