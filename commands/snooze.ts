import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

const hour = 3_600_000;
const lasting = { '1h': hour, '1d': 24 * hour, '1w': 7 * 24 * hour } as const;

export const snooze = defineCommand({
  name: 'snooze',
  title: 'Snooze',
  summary: 'Keeps one row quiet for a while, and shows it again after that.',
  example: '/activate snooze card=3f2b8c1e-0000-4000-8000-000000000000 for=1d',
  access: 'viewer',
  hidden: true,
  fields: {
    card: field.text({ label: 'Card', help: 'The id of the card, which its buttons carry.' }),
    for: field.choice({ label: 'For how long', of: { '1h': '1 hour', '1d': '1 day', '1w': '1 week' } }),
  },
  run: async ({ card, for: length }, caller, services) => {
    const until = new Date(services.now().getTime() + lasting[length]);
    return { kind: 'card', to: 'pressed', card: await services.cards.answer(card, 'snooze', caller, until) };
  },
});
