import { changesCard } from '../engine/cards/changes.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

export const apply = defineCommand({
  name: 'apply',
  title: 'Apply YAML',
  summary: 'Makes what a file says: sources, destinations, models, alerts and syncs.',
  example: '/activate apply syncs: {}',
  access: 'editor',
  fields: {
    yaml: field.area({
      label: 'YAML',
      help: 'As export writes it. In a terminal: npx activate apply file.yaml.',
      max: 500_000,
    }),
  },
  positional: ['yaml'],
  run: async ({ yaml }, caller, services) => {
    const changes = await services.documents.apply(yaml, caller);
    return { kind: 'card', to: 'caller', card: changesCard(changes, 'applied'), data: { changes } };
  },
});
