import { actions, button, context, count } from '../engine/cards/build.ts';
import { tableBlock } from '../engine/cards/show.ts';
import { field } from '../engine/contracts/form.ts';
import { maskTable } from '../engine/personal/mask.ts';
import { defineCommand } from './define.ts';
import { sources } from './lookups.ts';
import { hiddenFrom } from './personal.ts';

const shown = 10;

export const sql = defineCommand({
  name: 'sql',
  title: 'Look at data',
  summary: 'Runs one SELECT, read-only, and shows its first rows to you alone.',
  example: '/activate sql select * from workspaces',
  access: 'editor',
  fields: {
    source: field.optional(
      field.lookup({ label: 'Source', lookup: 'sources', help: 'May be left out when there is only one.' }),
    ),
    query: field.area({ label: 'Query', language: 'sql', placeholder: 'select * from workspaces' }),
  },
  positional: ['query'],
  lookups: { sources },
  run: async ({ source, query }, caller, services) => {
    const name = source ?? (await services.sources.list())[0]?.name ?? 'warehouse';
    const found = await services.sources.preview(name, query, shown);
    const hidden = hiddenFrom(caller, found, services);
    const table = hidden === undefined ? found : maskTable(found, hidden);
    const card = {
      title: 'Query',
      blocks: [
        { type: 'code', text: query },
        tableBlock(table, table.rows.length),
        context(
          `${table.rows.length === shown ? `The first ${shown} rows` : count(table.rows.length, 'row')} from ${name}`,
        ),
        actions(button('Make an alert of it', 'new-alert', { source: name, sql: query })),
      ],
      fallback: `${count(table.rows.length, 'row')} from ${name}`,
    } as const;
    return { kind: 'card', to: 'caller', card };
  },
});
