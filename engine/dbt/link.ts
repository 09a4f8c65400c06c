import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import { isAfterDbt, type Schedule } from '../schedule/cron.ts';
import { problem } from '../setup/problem.ts';
import {
  type DbtLink,
  type DbtProject,
  type KeptModel,
  linkOf,
  modelsCalled,
  projectNamed,
} from '../store/dbt.ts';
import type { DbtModel } from './model.ts';

/** Which dbt model is meant by `shop/accounts` or `shop/package.accounts`. Errors are at the field `table`. */
export async function modelAt(
  sql: Sql,
  reference: string,
): Promise<{ readonly project: DbtProject; readonly model: KeptModel }> {
  const [, name = '', called = ''] = /^([^/]+)\/(.+)$/.exec(reference) ?? [];
  const project = await projectNamed(sql, name).catch((error: unknown) => {
    throw error instanceof ActivateError && error.code === 'NOT_FOUND'
      ? problem('table', error.message, error.fix)
      : error;
  });
  const [model, ...others] = await modelsCalled(sql, project.id, called);
  if (model === undefined) {
    throw problem('table', `The dbt project ${name} has no model "${called}".`, 'See /activate dbt.');
  }
  if (others.length > 0) {
    const names = [model, ...others].map((one) => `${name}/${one.package}.${one.name}`);
    throw problem('table', `Several models are called "${called}".`, `Say which: ${names.join(', ')}.`);
  }
  return { project, model };
}

/** How a model is referred to: by its name where that is enough. */
export function referenceTo(
  project: string,
  model: Pick<DbtModel, 'name' | 'package'>,
  namesakes: number,
): string {
  return namesakes > 1 ? `${project}/${model.package}.${model.name}` : `${project}/${model.name}`;
}

/** The dbt model that a model of ours reads, as people refer to it; undefined when it reads none. */
export async function referenceFor(sql: Sql, modelId: number): Promise<string | undefined> {
  const link = await linkOf(sql, modelId);
  if (link === undefined) {
    return undefined;
  }
  const [model] = await modelsCalled(sql, link.projectId, link.uniqueId);
  const namesakes = model === undefined ? [] : await modelsCalled(sql, link.projectId, model.name);
  return model === undefined
    ? `${link.project}/${link.uniqueId}`
    : referenceTo(link.project, model, namesakes.length);
}

/** What reads all of a model. Throws INPUT_INVALID at `table` for one that there is nothing of to read. */
export function queryOf(model: DbtModel): string {
  if (!model.enabled) {
    throw problem('table', `The dbt model ${model.name} is disabled.`);
  }
  if (model.relation !== undefined) {
    return `select * from ${model.relation}`;
  }
  if (model.compiled !== undefined) {
    return model.compiled.trim().replace(/;\s*$/, '');
  }
  throw problem(
    'table',
    `The dbt model ${model.name} is ephemeral: nothing of it is in the warehouse.`,
    'Materialize it as a view or a table, or have dbt compile it.',
  );
}

/** The key of a model as the columns of a query have it; empty when they do not have it. */
export function keyIn(model: DbtModel, columns: readonly Pick<Column, 'name'>[]): readonly string[] {
  const names = new Map(columns.map(({ name }) => [name.toLowerCase(), name]));
  const key = model.key.map((name) => names.get(name.toLowerCase()));
  return key.includes(undefined) ? [] : (key as readonly string[]);
}

/**
 * The link that a draft asks for; undefined when its query reads no dbt model. Throws INPUT_INVALID at the field where a model
 * is of another warehouse, or where only dbt could say when a sync without one runs.
 */
export async function linkFor(
  sql: Sql,
  draft: { readonly dbt?: string | undefined; readonly source: string; readonly schedule: Schedule },
): Promise<Pick<DbtLink, 'projectId' | 'uniqueId' | 'columns'> | undefined> {
  if (draft.dbt === undefined) {
    if (isAfterDbt(draft.schedule)) {
      throw problem('schedule', 'No dbt model is chosen for its query.', 'Choose one, or name a time.');
    }
    return undefined;
  }
  const { project, model } = await modelAt(sql, draft.dbt);
  if (project.source !== draft.source) {
    throw problem('table', `The dbt project ${project.name} builds ${project.source}, not ${draft.source}.`);
  }
  return { projectId: project.id, uniqueId: model.uniqueId, columns: model.columns };
}
