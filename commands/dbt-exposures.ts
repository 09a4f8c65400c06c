import { code, context, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { dbtProjects } from './lookups.ts';

export const dbtExposures = defineCommand({
  name: 'dbt-exposures',
  title: 'Exposures for dbt',
  summary: 'Writes what reads the models of a dbt project as exposures, a YAML file for its repository.',
  example: '/activate dbt-exposures shop',
  access: 'editor',
  fields: {
    project: field.optional(
      field.lookup({
        label: 'dbt project',
        lookup: 'dbtProjects',
        help: 'May be left out when there is only one.',
      }),
    ),
  },
  positional: ['project'],
  lookups: { dbtProjects },
  run: async ({ project }, caller, services) => {
    const yaml = await services.dbt.exposures(project);
    if (caller.platform === 'cli') {
      return { kind: 'done', note: yaml.trimEnd() };
    }
    const file = 'activate_exposures.yml';
    const card = {
      title: 'Exposures for dbt',
      blocks: [
        text(
          'Put it into the ',
          code('models/'),
          ' folder of the dbt project: its lineage shows then what reads each model.',
        ),
        context('In a terminal: npx activate dbt-exposures > models/activate_exposures.yml'),
      ],
      fallback: file,
    };
    const bytes = Buffer.from(yaml);
    return { kind: 'card', to: 'caller', card, files: [{ name: file, type: 'application/yaml', bytes }] };
  },
});
