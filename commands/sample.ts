import { context, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { pendingNames, planFields } from './syncs/plan.ts';

const rowsShown = 30;
const shows = { all: 'All', added: 'Added', changed: 'Changed', removed: 'Removed' } as const;
const show = field.choice({ label: 'Show', of: shows });

export const sample = defineCommand({
  name: 'sample',
  title: 'Rows of the plan',
  summary: 'Shows rows that a run that waits would write, all or of one kind.',
  example: '/activate sample spring-buyers 7f3a9c21b04d removed',
  access: 'viewer',
  fields: { ...planFields, show: field.optional(show) },
  positional: ['name', 'plan', 'show'],
  showsForm: true,
  lookups: { pendingNames },
  run: async ({ name, plan, show: chosen = 'all' }, caller, services) => {
    const { columns, rows, total } = await services.approvals.sample(
      { name, plan },
      { show: chosen, limit: rowsShown },
      caller,
    );
    const intro: readonly Block[] = [
      text(
        rows.length === 0
          ? 'There are none of this kind.'
          : `${rows.length} of ${total.toLocaleString('en')} changes:`,
      ),
      ...(rows.length === 0 ? [] : [{ type: 'table', columns, rows, total } as const]),
      context(`Plan ${plan} of ${name}. Choose a kind to see more of it.`),
    ];
    if (caller.platform === 'cli') {
      return {
        kind: 'card',
        to: 'caller',
        card: { title: `Rows of ${name}`, blocks: intro, fallback: name },
      };
    }
    return {
      kind: 'form',
      form: {
        command: 'sample',
        title: 'Rows of the plan',
        intro,
        fields: { show },
        initial: { show: chosen },
        errors: {},
        hidden: { name, plan },
        submit: 'Show',
      },
    };
  },
});
