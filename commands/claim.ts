import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

export const claim = defineCommand({
  name: 'claim',
  title: 'Claim',
  summary: 'Takes a row on yourself and shows so on its card.',
  example: '/activate claim card=3f2b8c1e-0000-4000-8000-000000000000',
  access: 'viewer',
  hidden: true,
  fields: { card: field.text({ label: 'Card', help: 'The id of the card, which its buttons carry.' }) },
  run: async ({ card }, caller, services) => ({
    kind: 'card',
    to: 'pressed',
    card: await services.cards.answer(card, 'claim', caller, null),
  }),
});
