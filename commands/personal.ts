import type { Caller } from '../engine/contracts/command.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { type PersonalColumns, personalColumns } from '../engine/personal/columns.ts';
import { maskTable } from '../engine/personal/mask.ts';
import type { Finding, Services } from '../engine/services.ts';
import type { Model } from '../engine/store/models.ts';

/** The columns that a reply to this person must not show as they are; undefined when it may. */
export function hiddenFrom(
  caller: Caller,
  { columns, personal }: Pick<Model, 'columns' | 'personal'>,
  services: Services,
): PersonalColumns | undefined {
  return services.personal.mayBeShown(caller) ? undefined : personalColumns(columns, personal);
}

/** What was found out about a query, as the caller may see it. What the model's columns tell counts, where there is one. */
export async function shownFinding(
  finding: Finding,
  raw: Raw,
  caller: Caller,
  services: Services,
): Promise<{ readonly finding: Finding; readonly hidden: PersonalColumns | undefined }> {
  const marks = await marksOf(raw, services);
  const hidden = hiddenFrom(caller, { columns: finding.columns, personal: marks }, services);
  return {
    finding: hidden === undefined ? finding : { ...finding, sample: maskTable(finding.sample, hidden) },
    hidden,
  };
}

/** The personal columns that somebody named for the model that a form is about, if it is about one. */
async function marksOf(raw: Raw, services: Services): Promise<readonly string[] | null> {
  const about = raw['sync'] ?? raw['alert'];
  if (about !== undefined) {
    return (await services.syncs.show(about)).model.personal ?? null;
  }
  const named = raw['model'];
  const found =
    named === undefined ? [] : (await services.models.list()).filter(({ name }) => name === named);
  return found[0]?.personal ?? null;
}
