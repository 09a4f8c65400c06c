import { changesCard } from '../engine/cards/changes.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

export const plan = defineCommand({
  name: 'plan',
  title: 'Plan YAML',
  summary: 'Shows what applying a file would change. Changes nothing.',
  example: '/activate plan syncs: {}',
  access: 'editor',
  fields: {
    yaml: field.area({
      label: 'YAML',
      help: 'As export writes it. In a terminal: npx activate plan file.yaml.',
      max: 500_000,
    }),
  },
  positional: ['yaml'],
  run: async ({ yaml }, _caller, services) => {
    const changes = await services.documents.plan(yaml);
    return { kind: 'card', to: 'caller', card: changesCard(changes, 'planned'), data: { changes } };
  },
});
