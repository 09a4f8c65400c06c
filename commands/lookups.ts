import type { Lookup } from '../engine/contracts/command.ts';
import type { Options } from '../engine/contracts/form.ts';
import type { Services } from '../engine/services.ts';

/** Options that several commands offer while a person types. */
export const syncs: Lookup<Services> = async (typed, _raw, _caller, services) =>
  matching(
    (await services.syncs.list()).map(({ sync }) => sync.name),
    typed,
  );

export const alerts: Lookup<Services> = async (typed, _raw, _caller, services) =>
  matching(
    (await services.syncs.list()).filter(({ kind }) => kind === 'alert').map(({ sync }) => sync.name),
    typed,
  );

/** What writes to customers. */
export const mailings: Lookup<Services> = async (typed, _raw, _caller, services) =>
  matching(
    (await services.syncs.list())
      .filter(({ sync }) => sync.framework === 'mail')
      .map(({ sync }) => sync.name),
    typed,
  );

/** What speaks to people: alerts and mailings. */
export const speaking: Lookup<Services> = async (typed, raw, caller, services) => [
  ...(await alerts(typed, raw, caller, services)),
  ...(await mailings(typed, raw, caller, services)),
];

export const sources: Lookup<Services> = async (typed, _raw, _caller, services) =>
  matching(
    (await services.sources.list()).map((source) => source.name),
    typed,
  );

export const dbtProjects: Lookup<Services> = async (typed, _raw, _caller, services) =>
  matching(
    (await services.dbt.list()).map(({ project }) => project.name),
    typed,
  );

/** The names that contain what was typed; those that begin with it first. */
export function matching(names: readonly string[], typed: string): Options {
  const wanted = typed.trim().toLowerCase();
  return names
    .filter((name) => name.toLowerCase().includes(wanted))
    .sort((a, b) => Number(b.toLowerCase().startsWith(wanted)) - Number(a.toLowerCase().startsWith(wanted)))
    .map((name) => ({ value: name, label: name }));
}
