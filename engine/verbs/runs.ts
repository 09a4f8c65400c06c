import { ActivateError } from '../contracts/errors.ts';
import { formatTarget } from '../contracts/refs.ts';
import type { Services } from '../services.ts';
import { recentRuns, requestRun, runById } from '../store/runs.ts';
import { syncNamed } from '../store/syncs.ts';
import type { VerbParts } from './parts.ts';

const lookEveryMs = 200;

/** Starting runs, and looking at them. */
export function runVerbs(parts: VerbParts): Services['runs'] {
  return {
    start: async (name, by, cause, how = {}) => {
      const sync = await syncNamed(parts.db, name);
      const run = await requestRun(parts.db, {
        syncId: sync.id,
        dueAt: parts.now(),
        cause,
        ...how,
        requestedBy: Number(by.id),
        progressTo: by.platform === 'cli' ? null : formatTarget(by.conversation),
      });
      if (run === undefined) {
        throw new ActivateError('INPUT_INVALID', `A run of ${name} is going on just now.`, {
          fix: 'Wait for it to end: its result is in the history.',
        });
      }
      await parts.queue.add([run.id]);
      return run;
    },
    finished: async (runId, timeoutMs) => {
      for (const until = Date.now() + timeoutMs; Date.now() < until; ) {
        const run = await runById(parts.db, runId);
        if (run?.state === 'done' || run?.state === 'failed') {
          return run;
        }
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      }
      throw new ActivateError('UNAVAILABLE', 'The run takes longer than this command waits.', {
        fix: 'It goes on; see its result with: activate history.',
      });
    },
    recent: async (name, limit) => recentRuns(parts.db, (await syncNamed(parts.db, name)).id, limit),
  };
}
