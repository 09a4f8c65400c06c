import { bold, context, fields, heading, moment, shorten, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import { field } from '../engine/contracts/form.ts';
import { maskKey, maskRow } from '../engine/personal/mask.ts';
import { defineCommand } from './define.ts';
import { hiddenFrom } from './personal.ts';

export const details = defineCommand({
  name: 'details',
  title: 'Details',
  summary: 'Shows the row behind a card, and what was said and answered about it.',
  example: '/activate details card=3f2b8c1e-0000-4000-8000-000000000000',
  access: 'viewer',
  hidden: true,
  fields: { card: field.text({ label: 'Card', help: 'The id of the card, which its buttons carry.' }) },
  run: async ({ card: id }, caller, services) => {
    const { delivery, sync, row, history, reactions } = await services.cards.details(id);
    const when = (at: Date): string => moment(at, caller.timeZone);
    const { model } = await services.syncs.show(sync.name);
    const hidden = hiddenFrom(caller, model, services);
    const shown = hidden === undefined ? row : maskRow(row ?? {}, hidden);
    const key = hidden === undefined ? delivery.key : maskKey(delivery.key, model.key, hidden);
    const values = Object.entries(shown ?? {}).map(
      ([name, value]) => [name, shorten(value ?? '∅', 200)] as const,
    );
    const blocks: Block[] = [
      values.length === 0 ? text('The row is no longer in the result.') : fields(Object.fromEntries(values)),
      heading('What was said'),
      ...history.map((one) =>
        context(
          `${when(one.createdAt)} · ${one.kind} · ${one.state}${one.reason === null ? '' : ` · ${one.reason}`}`,
        ),
      ),
      ...reactions.map((one) => text(bold(one.person), ` · ${one.answer} · ${when(one.at)}`)),
      context(`Alert ${sync.name} · key ${key}`),
    ];
    const title = delivery.card?.title ?? key;
    return { kind: 'card', to: 'caller', card: { title: shorten(title, 150), blocks, fallback: title } };
  },
});
