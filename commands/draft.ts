import { actions, button, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';

export const draft = defineCommand({
  name: 'draft',
  title: 'Resume a draft',
  summary: 'Takes up again what you left half done.',
  example: '/activate draft',
  access: 'viewer',
  fields: {
    id: field.optional(field.text({ label: 'Draft', help: 'Its number; the newest when left out.' })),
  },
  positional: ['id'],
  run: async ({ id }, caller, services) => {
    const mine = await services.drafts.mine(caller);
    const found = id === undefined ? mine[0] : mine.find((one) => String(one.id) === id);
    const resume =
      found === undefined
        ? []
        : [
            actions(
              button('Open the form', found.command, { draft: String(found.id) }, { style: 'primary' }),
            ),
          ];
    const said =
      found === undefined ? 'You left nothing half done.' : `Your ${found.command} is as you left it.`;
    return {
      kind: 'card',
      to: 'caller',
      card: { title: 'Drafts', blocks: [text(said), ...resume], fallback: said },
    };
  },
});
