import { quoted } from '../contracts/names.ts';
import type { Dialect } from '../contracts/source.ts';

/** A name as a dialect takes it, whatever is in it. */
export function nameIn(dialect: Dialect, name: string): string {
  switch (dialect) {
    case 'postgresql':
    case 'redshift':
    case 'snowflake':
    case 'duckdb':
      return quoted(name);
    case 'mysql':
    case 'databricks':
      return `\`${name.replaceAll('`', '``')}\``;
    case 'bigquery':
      return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
    default:
      return dialect satisfies never;
  }
}
