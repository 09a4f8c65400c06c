import { field } from '../engine/contracts/form.ts';
import { alertSettings } from '../engine/model/alert.ts';
import { defineCommand } from './define.ts';

const day = 24 * 3_600_000;

export const notAFit = defineCommand({
  name: 'not-a-fit',
  title: 'Not a fit',
  summary: 'Sets a row aside: no more about it until the cooldown of the alert is over.',
  example: '/activate not-a-fit card=3f2b8c1e-0000-4000-8000-000000000000',
  access: 'viewer',
  hidden: true,
  fields: { card: field.text({ label: 'Card', help: 'The id of the card, which its buttons carry.' }) },
  run: async ({ card }, caller, services) => {
    const { sync } = await services.cards.details(card);
    const { cooldownDays } = alertSettings.parse(sync.settings);
    const until = new Date(services.now().getTime() + cooldownDays * day);
    return {
      kind: 'card',
      to: 'pressed',
      card: await services.cards.answer(card, 'not a fit', caller, until),
    };
  },
});
