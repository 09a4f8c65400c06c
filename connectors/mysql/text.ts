import type { KeyOrder } from '../../engine/contracts/source.ts';
import type { QueryColumn } from './columns.ts';

/** SQL for the exact text of a column's value; NULL stays NULL. `expression` is the column, as SQL names it. */
export function textOf({ kind }: Pick<QueryColumn, 'kind'>, expression: string): string {
  switch (kind) {
    case 'integer':
    case 'decimal':
    case 'datetime':
    case 'date':
      return `CAST(${expression} AS CHAR)`;
    // Without the zeros that ZEROFILL puts before it.
    case 'unsigned':
    case 'bits':
      return `CAST(CAST(${expression} AS UNSIGNED) AS CHAR)`;
    case 'bit':
      return `CASE CAST(${expression} AS UNSIGNED) WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`;
    // The text of a FLOAT has six digits; as a DOUBLE it has all that count.
    case 'real':
      return `CAST(${expression} + 0e0 AS CHAR)`;
    // The session's zone is UTC.
    case 'moment':
      return `CONCAT(CAST(${expression} AS CHAR), '+00')`;
    case 'json':
    case 'text':
      return `CONVERT(CAST(${expression} AS CHAR) USING utf8mb4)`;
    case 'bytes':
      return `CONCAT('\\\\x', LOWER(HEX(${expression})))`;
    default:
      return kind satisfies never;
  }
}

/** How the column is compared when it is part of a key. */
export function orderOf({ kind }: Pick<QueryColumn, 'kind'>): KeyOrder {
  return kind === 'integer' || kind === 'unsigned' ? 'numeric' : 'bytes';
}
