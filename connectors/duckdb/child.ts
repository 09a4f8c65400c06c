import { rm } from 'node:fs/promises';
import { answerTo, readTo } from './answers.ts';
import { failureOf } from './failure.ts';
import { openSession } from './instance.ts';
import { type Down, piecesAhead, type Task, type Up } from './wire.ts';

// The process that DuckDB runs in: what goes wrong in native code ends this one, and not the one that speaks in chats.

/** The folder for what goes to disk, made for this process. */
const spillRoot = process.argv[2] ?? '';

/** A question at work. */
interface Work {
  readonly abort: AbortController;
  /** Pieces that may be sent before the other side says that it wants more. */
  credit: number;
  wake(): void;
}

const working = new Map<number, Work>();

process.on('message', (message: Down) => {
  if (message.to === 'ask') {
    void workOn(message.task);
    return;
  }
  const work = working.get(message.id);
  if (message.to === 'stop') {
    work?.abort.abort();
  } else if (work !== undefined) {
    work.credit += 1;
  }
  work?.wake();
});

// The other side is gone, or wants this one to go: whatever runs in native code does not matter any more.
process.on('disconnect', () => {
  rm(spillRoot, { recursive: true, force: true }).finally(() => process.kill(process.pid, 'SIGKILL'));
});

async function workOn(task: Task): Promise<void> {
  const work: Work = { abort: new AbortController(), credit: piecesAhead, wake: () => undefined };
  working.set(task.id, work);
  const last = await lastWordOn(task, work).catch(
    (error: unknown): Up => ({ id: task.id, is: 'failed', failure: failureOf(error) }),
  );
  working.delete(task.id);
  send(last);
}

/** Works on a question to its end; nothing is held any more when it is answered. */
async function lastWordOn(task: Task, work: Work): Promise<Up> {
  const { id, question } = task;
  const { signal } = work.abort;
  const { connection, close } = await openSession(task, spillRoot, signal);
  // Again and again: one that comes just before something begins is forgotten.
  const interrupting = setInterval(() => signal.aborted && connection.interrupt(), 100);
  const interrupt = (): void => connection.interrupt();
  signal.addEventListener('abort', interrupt);
  try {
    signal.throwIfAborted();
    if (question.kind !== 'read') {
      return { id, is: 'answer', value: await answerTo(connection, question, task.place) };
    }
    await readTo(connection, question.query, async (message) => {
      signal.throwIfAborted();
      if (message.is === 'piece') {
        await credited(work);
        work.credit -= 1;
      }
      send({ ...message, id });
    });
    return { id, is: 'end' };
  } finally {
    clearInterval(interrupting);
    signal.removeEventListener('abort', interrupt);
    await close();
  }
}

async function credited(work: Work): Promise<void> {
  while (work.credit <= 0) {
    await new Promise<void>((resolve) => {
      work.wake = resolve;
    });
    work.abort.signal.throwIfAborted();
  }
}

function send(message: Up): void {
  // The other side may be gone; `disconnect` tells.
  process.send?.(message, undefined, {}, () => undefined);
}
