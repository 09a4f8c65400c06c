import { moment, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

export const resume = defineCommand({
  name: 'resume',
  title: 'Resume',
  summary: 'Lets a paused alert or sync go on.',
  example: '/activate resume pql-free-tier',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, caller, services) => {
    const at = await services.syncs.resume(name);
    const card = {
      title: `${name} goes on`,
      tone: 'good',
      blocks: [
        text(
          at === undefined
            ? 'It runs after the next run of dbt.'
            : `Next run: ${moment(at, caller.timeZone)}.`,
        ),
      ],
      fallback: `${name} goes on`,
    } as const;
    return { kind: 'card', to: 'caller', card };
  },
});
