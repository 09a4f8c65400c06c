import { progressCard } from '../engine/cards/progress.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

const waitMs = 15 * 60_000;

export const run = defineCommand({
  name: 'run',
  title: 'Run now',
  summary: 'Runs an alert or a sync now and shows how it goes.',
  example: '/activate run pql-free-tier',
  access: 'editor',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'syncs' }),
    wait: field.optional(field.choice({ label: 'Wait for the end', of: { true: 'Yes', false: 'No' } })),
    anew: field.optional(
      field.choice({ label: 'Plan anew', of: { true: 'Yes, in place of what waits', false: 'No' } }),
    ),
  },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name, wait, anew }, caller, services) => {
    const waits = caller.platform === 'cli' && wait === 'true';
    const [last] = waits ? await services.runs.recent(name, 1) : [];
    if (
      last !== undefined &&
      (last.state === 'queued' || last.state === 'reading' || last.state === 'delivering')
    ) {
      // The first run of a new alert, say: whoever waits anyway may wait for that one, too.
      await services.runs.finished(last.id, waitMs);
    }
    const started = await services.runs.start(name, caller, 'manual', { anew: anew === 'true' });
    if (caller.platform !== 'cli') {
      return { kind: 'done', note: `Running ${name}: the card here shows how it goes.` };
    }
    if (!waits) {
      return { kind: 'done', note: `Run ${started.id} of ${name} is queued.` };
    }
    const ended = await services.runs.finished(started.id, waitMs);
    const seconds = ((ended.finishedAt?.getTime() ?? 0) - (ended.startedAt?.getTime() ?? 0)) / 1000;
    const data = { run: ended.id, name, state: ended.state, counts: ended.counts, error: ended.error };
    return { kind: 'card', to: 'caller', card: progressCard(name, ended, seconds), data };
  },
});
