import { ago } from '../cards/build.ts';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import { linkOf, modelsCalled, projectById } from '../store/dbt.ts';
import type { Run } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';

const hourMs = 3_600_000;

/**
 * Throws OUTDATED when the dbt model of a sync was built longer ago than its project allows. A run that somebody asked
 * for goes on: they know. Where no run was heard of, nobody can say how old it is.
 */
export async function mustBeFresh(
  { db, now }: { readonly db: Db; readonly now: () => Date },
  run: Run,
  sync: Sync,
): Promise<void> {
  const link = run.cause === 'manual' || run.cause === 'retry' ? undefined : await linkOf(db, sync.modelId);
  const project = link === undefined ? undefined : await projectById(db, link.projectId);
  const hours = Number(project?.config['staleHours'] ?? Number.POSITIVE_INFINITY);
  const [model] = link === undefined ? [] : await modelsCalled(db, link.projectId, link.uniqueId);
  if (model?.builtAt == null || now().getTime() - model.builtAt.getTime() <= hours * hourMs) {
    return;
  }
  const built = ago(model.builtAt, now());
  throw new ActivateError(
    'OUTDATED',
    `dbt has built ${model.name} ${built}, longer ago than ${hours} h. Nothing was sent.`,
    {
      fix: 'Look why dbt does not run; or send the rows as they are with Retry.',
    },
  );
}
