import type { Db } from '../../engine/contracts/db.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { InvokeAnswer } from './adapter.ts';
import type { Heard } from './heard.ts';
import { answerOf, claim, keepAnswer } from './store.ts';

/** What was heard is remembered this long in the process; in the database, an hour. */
const REMEMBERED_MS = 10 * 60_000;
/** How long a repetition waits for what another process is about to answer, and how often it looks. */
const WAIT_MS = 9000;
const LOOK_MS = 250;

/**
 * Teams delivers an activity again when it had no answer, for about 15 s, and to whichever process takes it. It runs
 * once; each delivery gets the very same answer.
 */
export function createOnce(parts: {
  readonly db: Db;
  readonly log: Log;
  readonly now: () => Date;
}): (activity: Heard, work: () => Promise<InvokeAnswer>) => Promise<InvokeAnswer> {
  const { db, log, now } = parts;
  const here = new Map<string, { readonly at: number; readonly answer: Promise<InvokeAnswer> }>();

  const first = async (id: string, work: () => Promise<InvokeAnswer>): Promise<InvokeAnswer> => {
    if (!(await claim(db, id, now()))) {
      return elsewhere(db, id);
    }
    const answer = await work();
    await keepAnswer(db, id, answer).catch((error: unknown) =>
      log.warn({ error }, 'Answer could not be kept for a repetition'),
    );
    return answer;
  };

  return (activity, work) => {
    if (activity.id === undefined || activity.id === '') {
      return work();
    }
    const at = now().getTime();
    for (const [key, entry] of here) {
      if (at - entry.at < REMEMBERED_MS) {
        break;
      }
      here.delete(key);
    }
    const id = `${activity.type} ${activity.conversation?.id ?? ''} ${activity.id}`;
    const there = here.get(id);
    if (there !== undefined) {
      return there.answer;
    }
    const answer = first(id, work);
    here.set(id, { at, answer });
    // Whoever tries again after a failure gets another chance.
    answer.catch(() => here.delete(id));
    return answer;
  };
}

/** The answer of the process that heard it first; a plain one when that takes too long. */
async function elsewhere(db: Db, id: string): Promise<InvokeAnswer> {
  for (let waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
    const answer = await answerOf(db, id);
    if (answer !== undefined) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return { status: 200 };
}
