import { code, context, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const exportAll = defineCommand({
  name: 'export',
  title: 'Export as YAML',
  summary: 'Writes everything that is set up, or one alert or sync, as a file for plan and apply.',
  example: '/activate export',
  access: 'editor',
  fields: { name: field.optional(field.lookup({ label: 'Name', lookup: 'syncs' })) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, caller, services) => {
    const yaml = await services.documents.write(name);
    if (caller.platform === 'cli') {
      return { kind: 'done', note: yaml.trimEnd() };
    }
    const file = `${name ?? 'activate'}.yaml`;
    const card = {
      title: 'Everything as YAML',
      blocks: [
        text(
          'Secrets are not in it: they are named as ',
          code(`\${CONNECTION_…}`),
          ' and come from the environment.',
        ),
        context(
          'npx activate plan file.yaml shows what would change; npx activate apply file.yaml makes it so.',
        ),
      ],
      fallback: file,
    };
    const bytes = Buffer.from(yaml);
    return { kind: 'card', to: 'caller', card, files: [{ name: file, type: 'application/yaml', bytes }] };
  },
});
