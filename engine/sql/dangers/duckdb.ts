import type { Dangers } from './dangers.ts';

export const duckdb: Dangers = {
  openers: ['select', 'with', 'values', 'table', 'from'],
  functions: [
    ['makes the database wait', /^sleep_ms$/],
    [
      'reads or writes files, or the web',
      /^(read_(?!replica)\w+|parquet_\w+|glob|sniff_csv|seq_scan|st_read\w*|st_drivers|http_\w+|curl_\w+|iceberg_\w+|delta_\w+|open_prompt|getenv|shellfs_\w*|add_parquet_key|load_aws_credentials)$/,
    ],
    ['opens connections of its own', /^(sqlite|postgres|mysql|odbc|mssql|bigquery|snowflake)_\w+$/],
    ['reads the memory of the program', /^(arrow|pandas|python|polars)_(scan|map)\w*$/],
    ['runs text as SQL', /^(query|query_table|json_execute_serialized_sql|from_substrait\w*)$/],
    ['reads secrets', /^(duckdb_secrets|which_secret)$/],
    ['moves a sequence on', /^nextval$/],
    ['changes settings', /^(setseed|set_config|(enable|disable)_\w+)$/],
    [
      'operates the database',
      /^(force_)?checkpoint$|^(write_log|truncate_duckdb_logs|copy_database|import_database)$/,
    ],
  ],
  phrases: [],
};
