import { z } from 'zod';
import type { Limits } from '../../engine/contracts/source.ts';
import { datasetsOf, tablesOf } from './catalog.ts';
import type { Session } from './session.ts';

/** Rights that reading does not need, in the order in which they are said. */
const writing = {
  'bigquery.tables.updateData': 'The service account can change rows of at least one table',
  'bigquery.tables.delete': 'The service account can delete at least one table',
} as const;

/** Datasets that are looked at: in each, rights on one table, which those on dataset and project come down to. */
const mostDatasets = 10;

const granted = z.object({ permissions: z.array(z.string()).default([]) });

/** Sentences about rights that reading does not need; none is best. The planner's dataset is ours to write. */
export async function warningsOf(session: Session, limits: Limits): Promise<readonly string[]> {
  const { login } = session;
  const all = await datasetsOf(session, limits);
  if (all.length === 0) {
    return [`The service account sees no dataset in ${login.dataProject}.`];
  }
  const ours = login.planner?.project === login.dataProject ? login.planner.dataset : undefined;
  const looked = all.filter((dataset) => dataset !== ours).slice(0, mostDatasets);
  const held = new Map<string, string>();
  for (const dataset of looked) {
    for (const permission of await heldIn(session, dataset, limits)) {
      held.set(permission, held.get(permission) ?? dataset);
    }
  }
  return Object.entries(writing).flatMap(([permission, sentence]) => {
    const dataset = held.get(permission);
    return dataset === undefined ? [] : [`${sentence}, in the dataset ${dataset}.`];
  });
}

async function heldIn(session: Session, dataset: string, limits: Limits): Promise<readonly string[]> {
  const [table] = await tablesOf(session, dataset, limits);
  if (table === undefined) {
    return [];
  }
  const { login } = session;
  const place = `projects/${login.dataProject}/datasets/${dataset}/tables/${encodeURIComponent(table)}`;
  const request = {
    method: 'POST',
    path: `${place}:testIamPermissions`,
    json: { permissions: Object.keys(writing) },
    signal: limits.signal,
  } as const;
  return (await session.ask(granted, request, { login })).permissions;
}
