import { field } from '../engine/contracts/form.ts';
import { projectCard } from './dbt.ts';
import { defineCommand } from './define.ts';
import { dbtProjects } from './lookups.ts';

export const dbtRefresh = defineCommand({
  name: 'dbt-refresh',
  title: 'Read a manifest again',
  summary: 'Reads the manifest of a dbt project now, and looks what changed for those who read its models.',
  example: '/activate dbt-refresh shop',
  access: 'editor',
  fields: { project: field.lookup({ label: 'dbt project', lookup: 'dbtProjects' }) },
  positional: ['project'],
  lookups: { dbtProjects },
  run: async ({ project }, _caller, services) => {
    const state = await services.dbt.refresh(project);
    const title =
      state.project.trouble === null
        ? `The manifest of ${project} was read`
        : `The manifest of ${project} could not be read`;
    return { kind: 'card', to: 'caller', card: projectCard(state, title, services.now()) };
  },
});
