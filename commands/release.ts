import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

export const release = defineCommand({
  name: 'release',
  title: 'Release',
  summary: 'Gives back a row that was claimed.',
  example: '/activate release card=3f2b8c1e-0000-4000-8000-000000000000',
  access: 'viewer',
  hidden: true,
  fields: { card: field.text({ label: 'Card', help: 'The id of the card, which its buttons carry.' }) },
  run: async ({ card }, caller, services) => ({
    kind: 'card',
    to: 'pressed',
    card: await services.cards.release(card, 'claim', caller),
  }),
});
