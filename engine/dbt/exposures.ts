import { stringify } from 'yaml';
import { syncWords, triggerWords } from '../cards/words.ts';
import type { SyncDetail } from '../services.ts';
import type { KeptModel } from '../store/dbt.ts';

/** A sync or an alert over a dbt model, and who made it. */
export interface Exposed {
  readonly detail: SyncDetail;
  readonly model: KeptModel;
  readonly owner: { readonly name: string; readonly email: string | null } | undefined;
}

/**
 * What reads the models of a project, as dbt's exposures: a properties file for its repository. The same syncs give the
 * same text, whenever and wherever it is written.
 */
export function exposuresFile(
  project: string | undefined,
  all: readonly Exposed[],
  url: string | undefined,
): string {
  const exposures = [...all]
    .sort((a, b) => (a.detail.sync.name < b.detail.sync.name ? -1 : 1))
    .map(({ detail, model, owner }) => ({
      // Only letters, digits and underscores; a name of ours has no underscore, so that no two become one.
      name: `activate_${detail.sync.name.replaceAll('-', '_')}`,
      label: detail.sync.name,
      type: 'application',
      ...(url === undefined ? {} : { url }),
      description: describe(detail),
      depends_on: [refTo(model, project)],
      owner: ownerOf(owner),
    }));
  return stringify({ version: 2, exposures }, { lineWidth: 110 });
}

function describe(detail: SyncDetail): string {
  const where = detail.goesTo.join(', ');
  return detail.kind === 'alert'
    ? `An alert of Activate: when ${triggerWords(detail)}, it is said in ${where}.`
    : `A sync of Activate to ${where}: ${syncWords(detail.sync)}.`;
}

/** dbt wants a name or an address. */
function ownerOf(owner: Exposed['owner']): object {
  return { name: owner?.name ?? 'Activate', ...(owner?.email == null ? {} : { email: owner.email }) };
}

function refTo({ name, package: pack, version }: KeptModel, project: string | undefined): string {
  const bare = version === undefined ? name : name.slice(0, -`.v${version}`.length);
  const parts = [
    ...(project === undefined || pack === project ? [] : [`'${pack}'`]),
    `'${bare}'`,
    ...(version === undefined ? [] : [`v=${/^\d+$/.test(version) ? version : `'${version}'`}`]),
  ];
  return `ref(${parts.join(', ')})`;
}
