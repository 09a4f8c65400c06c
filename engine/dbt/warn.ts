import type { DbtProject } from '../store/dbt.ts';
import type { DbtModel } from './model.ts';

/** Schemas that developers and checks of changes build in: their tables come and go. */
const personal =
  /^(?:dbt_(?!prod|production|marts)\w+|(?:.*_)?(?:dev|sandbox|scratch|tmp|ci)|(?:dev|ci|pr|sandbox)_.*)$/i;

/** Whether a schema looks like somebody's own. */
function isPersonalSchema(schema: string): boolean {
  return personal.test(schema);
}

/** What dbt calls the warehouses of our connectors. */
const adapters: Readonly<Record<string, readonly string[]>> = {
  postgres: ['postgres', 'redshift'],
  mysql: ['mysql'],
  snowflake: ['snowflake'],
  bigquery: ['bigquery'],
  databricks: ['databricks', 'spark'],
  redshift: ['redshift'],
  duckdb: ['duckdb'],
};

/** What of a project does not look as it should, in sentences. */
export function projectWarnings(
  { about }: Pick<DbtProject, 'about'>,
  connector: string,
  schemas: readonly string[],
): readonly string[] {
  const own = schemas.filter(isPersonalSchema);
  const fitting = adapters[connector] ?? [];
  const adapter = about?.adapter;
  return [
    ...(own.length === 0 ? [] : [schemaWarning(own)]),
    ...(adapter === undefined || fitting.includes(adapter)
      ? []
      : [`The manifest is for ${adapter}, and the source is ${connector}: it may be of another warehouse.`]),
  ];
}

function schemaWarning(schemas: readonly string[]): string {
  return `Models are built in ${schemas.join(', ')}, which looks like a developer’s or a check’s own: was the manifest written for the target that production uses?`;
}

/** What somebody should know before a model is read again and again. */
export function modelWarnings(model: DbtModel): readonly string[] {
  return [
    ...(model.schema !== undefined && isPersonalSchema(model.schema) ? [schemaWarning([model.schema])] : []),
    ...(model.materialized === 'view'
      ? ['It is a view: its query is carried out by the warehouse each time it is read.']
      : []),
    ...(model.relation === undefined
      ? ['It is ephemeral: what is read is the SQL that dbt compiled, as it was then.']
      : []),
  ];
}
