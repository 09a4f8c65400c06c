import { actions, ago, button, count, shorten, text } from '../engine/cards/build.ts';
import { runsChart } from '../engine/cards/chart.ts';
import { summary } from '../engine/cards/progress.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

const charted = 60;
const listed = 10;

export const history = defineCommand({
  name: 'history',
  title: 'History',
  summary: 'Shows the recent runs of an alert or a sync, as a picture and as a table.',
  example: '/activate history pql-free-tier',
  access: 'viewer',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }) },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name }, _caller, services) => {
    const runs = await services.runs.recent(name, charted);
    if (runs.length === 0) {
      const card = {
        title: `History of ${name}`,
        blocks: [text('It has not run yet.')],
        fallback: 'No runs yet.',
      };
      return { kind: 'card', to: 'caller', card };
    }
    const now = services.now();
    const { kind } = await services.syncs.show(name);
    const what = kind === 'alert' ? 'Messages' : 'Rows delivered';
    const rows = runs
      .slice(0, listed)
      .map((run) => [
        ago(run.dueAt, now),
        run.state,
        String(run.counts.rows ?? '—'),
        shorten(summary(run), 120),
      ]);
    const card = {
      title: `History of ${name}`,
      blocks: [
        {
          type: 'image',
          png: await runsChart(`${what} per run, last ${count(runs.length, 'run')}`, runs),
          alt: `${what} in the last ${count(runs.length, 'run')} of ${name}`,
        },
        { type: 'table', columns: ['When', 'State', 'Rows', 'What happened'], rows, total: runs.length },
        actions(button('Show', 'show', { name }), button('Run now', 'run', { name })),
      ],
      fallback: `The last run of ${name}: ${summary(runs[0] as (typeof runs)[number])}`,
    } as const;
    return { kind: 'card', to: 'caller', card };
  },
});
