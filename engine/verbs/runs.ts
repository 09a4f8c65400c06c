import { endWithin } from '../approvals/end.ts';
import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import { formatTarget } from '../contracts/refs.ts';
import type { Services } from '../services.ts';
import { lockPendingRunHolds } from '../store/holds.ts';
import { recentRuns, requestRun, runById } from '../store/runs.ts';
import { syncNamed } from '../store/syncs.ts';
import type { VerbParts } from './parts.ts';

const lookEveryMs = 200;

/** Starting runs, and looking at them. */
export function runVerbs(parts: VerbParts): Services['runs'] {
  return {
    start: async (name, by, cause, { scope, anew = false } = {}) => {
      const sync = await syncNamed(parts.db, name);
      if (scope === 'everything' && sync.framework === 'mail') {
        throw new ActivateError(
          'INPUT_INVALID',
          `${name} writes to people: nothing is sent to all of them again.`,
          {
            fix: `Mails in doubt can be sent again: /activate resend ${name}. Or make another mailing.`,
          },
        );
      }
      const run = await parts.db.transaction(async (sql) => {
        const waiting = await lockPendingRunHolds(sql, sync.id);
        if (waiting.length > 0 && !anew) {
          throw waits(name, by);
        }
        for (const hold of waiting) {
          const verdict = 'A newer plan was asked for.';
          await endWithin(sql, hold, { state: 'superseded', by, verdict });
        }
        return requestRun(sql, {
          syncId: sync.id,
          dueAt: parts.now(),
          cause,
          ...(scope === undefined ? {} : { scope }),
          requestedBy: Number(by.id),
          progressTo: by.platform === 'cli' ? null : formatTarget(by.conversation),
        });
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
        if (run?.state === 'done' || run?.state === 'failed' || run?.state === 'held') {
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

/** A run waits for approval: nothing piles up behind it. */
function waits(name: string, by: Caller): ActivateError {
  const line = by.platform === 'cli' ? `activate run ${name} anew=true` : `/activate run ${name} anew=true`;
  return new ActivateError('INPUT_INVALID', `A run of ${name} waits for approval.`, {
    fix: `Decide about it (/activate approvals), or have it planned anew: ${line}.`,
  });
}
