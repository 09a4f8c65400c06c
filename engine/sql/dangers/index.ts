import type { Dialect } from '../../contracts/source.ts';
import { bigquery } from './bigquery.ts';
import type { Dangers } from './dangers.ts';
import { databricks } from './databricks.ts';
import { duckdb } from './duckdb.ts';
import { mysql } from './mysql.ts';
import { postgresql } from './postgresql.ts';
import { snowflake } from './snowflake.ts';

export const dangersOf: Readonly<Record<Dialect, Dangers>> = {
  postgresql,
  // It began as PostgreSQL, and has no more of these.
  redshift: postgresql,
  mysql,
  snowflake,
  bigquery,
  databricks,
  duckdb,
};
