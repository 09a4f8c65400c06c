import { bold, code, context, count, shorten, text } from '../engine/cards/build.ts';
import { defineCommand } from './define.ts';

const shown = 20;

export const models = defineCommand({
  name: 'models',
  title: 'Models',
  summary: 'Lists the queries, what tells their rows apart, and what uses them.',
  example: '/activate models',
  access: 'viewer',
  fields: {},
  run: async (_input, _caller, services) => {
    const all = await services.models.list();
    const blocks = all
      .slice(0, shown)
      .flatMap(({ name, sql, key, source, usedBy }) => [
        text(
          bold(name),
          ` on ${source}, key ${key.join(' / ') || 'none'} · used by ${usedBy.length === 0 ? 'nothing' : usedBy.join(', ')}`,
        ),
        context(code(shorten(sql.replaceAll(/\s+/g, ' ').trim(), 160))),
      ]);
    const title = all.length === 0 ? 'No models yet' : count(all.length, 'model');
    return {
      kind: 'card',
      to: 'caller',
      card: {
        title,
        blocks: [
          ...(all.length === 0 ? [text('A model is made with the alert or the sync that uses it.')] : blocks),
          ...(all.length > shown ? [context(`${shown} of ${all.length}`)] : []),
        ],
        fallback: title,
      },
    };
  },
});
