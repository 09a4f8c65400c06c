import type { AnyConnection, PartName } from '../../engine/contracts/connector.ts';
import type {
  BatchLimits,
  Call,
  Event,
  Mail,
  Member,
  NewFile,
  NewTask,
  Notice,
  ObjectBatch,
  Operation,
  Outcome,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { call } from '../support/connect.ts';

/**
 * Good items for each part that a connector offers: always the same ones for the same `n`, no two with the same key.
 * `bad` is the place of one that the far side refuses for what it holds.
 */
export interface PartCases {
  readonly objects?: Partial<Record<Operation, (n: number, bad?: number) => ObjectBatch>>;
  readonly events?: (n: number, bad?: number) => readonly Event[];
  readonly audiences?: { readonly list: string; members(n: number, bad?: number): readonly Member[] };
  readonly files?: (n: number) => readonly (NewFile & { readonly bytes: Uint8Array })[];
  readonly tasks?: (n: number, bad?: number) => readonly NewTask[];
  readonly notify?: (n: number) => readonly Notice[];
  readonly mail?: (n: number, bad?: number) => readonly Mail[];
}

/** One thing that a part does, in a shape that all parts share. */
export interface Work {
  readonly name: string;
  readonly part: PartName;
  /** Whether an item can be refused for what it holds. */
  readonly canBeBad: boolean;
  /** What has to be there before. */
  prepare?(connection: AnyConnection, n: number): Promise<unknown>;
  send(connection: AnyConnection, n: number, how: How): Promise<readonly Outcome[]>;
}

export interface How {
  readonly signal: AbortSignal;
  readonly again: boolean;
  readonly bad: number | undefined;
  /** Jobs begun at the far side, by batch; an attempt finds those of the one before. */
  readonly tickets: Map<string, string>;
}

export const firstTime = (): How => ({
  signal: new AbortController().signal,
  again: false,
  bad: undefined,
  tickets: new Map(),
});

export function worksOf(cases: PartCases): readonly Work[] {
  return [
    ...Object.values(cases.objects ?? {}).map(objectWork),
    ...(cases.events === undefined ? [] : [eventWork(cases.events)]),
    ...(cases.audiences === undefined ? [] : audienceWorks(cases.audiences)),
    ...(cases.files === undefined ? [] : [fileWork(cases.files)]),
    ...(cases.tasks === undefined ? [] : [taskWork(cases.tasks)]),
    ...(cases.notify === undefined ? [] : [noticeWork(cases.notify)]),
    ...(cases.mail === undefined ? [] : [mailWork(cases.mail)]),
  ];
}

/** The part of a connection that a connector says it offers. */
export function partOf<P extends PartName>(
  connection: AnyConnection,
  name: P,
): NonNullable<AnyConnection[P]> {
  const part = connection[name];
  if (part === undefined) {
    throw new Error(`The connection has no part ${name}`);
  }
  return part as NonNullable<AnyConnection[P]>;
}

function objectWork(batch: (n: number, bad?: number) => ObjectBatch): Work {
  return {
    name: `objects ${batch(1).operation}`,
    part: 'objects',
    canBeBad: true,
    send: (connection, n, how) => {
      const { limits, write } = partOf(connection, 'objects');
      const whole = batch(n, how.bad);
      return inBatches(whole.items, limits, how, (items, one) => write({ ...whole, items }, one));
    },
  };
}

function eventWork(events: NonNullable<PartCases['events']>): Work {
  return {
    name: 'events',
    part: 'events',
    canBeBad: true,
    send: (connection, n, how) => {
      const { limits, send } = partOf(connection, 'events');
      return inBatches(events(n, how.bad), limits, how, send);
    },
  };
}

function audienceWorks({ list, members }: NonNullable<PartCases['audiences']>): readonly Work[] {
  const work = (verb: 'add' | 'remove'): Work['send'] => {
    return (connection, n, how) => {
      const audiences = partOf(connection, 'audiences');
      const given = members(n, how.bad).map((member) =>
        verb === 'add' ? member : { ...member, traits: {} },
      );
      return inBatches(given, audiences.limits, how, (some, one) => audiences[verb](list, some, one));
    };
  };
  const add = work('add');
  return [
    { name: 'audiences add', part: 'audiences', canBeBad: true, send: add },
    {
      name: 'audiences remove',
      part: 'audiences',
      canBeBad: false,
      prepare: (connection, n) => add(connection, n, firstTime()),
      send: work('remove'),
    },
  ];
}

/** A file that is there with our mark is done: the engine looks before it writes again. */
function fileWork(files: NonNullable<PartCases['files']>): Work {
  return {
    name: 'files',
    part: 'files',
    canBeBad: false,
    send: (connection, n, how) => {
      const part = partOf(connection, 'files');
      return oneByOne(files(n), async ({ bytes, ...file }) => {
        const there = how.again ? await part.stat(file.path) : undefined;
        if (there?.mark !== file.mark) {
          await part.put(file, () => chunked(bytes), call({ signal: how.signal, again: how.again }));
        }
        return { state: 'ok' };
      });
    },
  };
}

/** As the engine does it: after an unknown outcome it looks for the task before it asks for it again. */
function taskWork(tasks: NonNullable<PartCases['tasks']>): Work {
  return {
    name: 'tasks',
    part: 'tasks',
    canBeBad: true,
    send: (connection, n, how) => {
      const part = partOf(connection, 'tasks');
      return oneByOne(tasks(n, how.bad), async (task) => {
        const found = how.again
          ? await part.find(task.project, task.mark, new Date(0), how.signal)
          : undefined;
        const { id, url } = found ?? (await part.create(task, how.signal));
        return { state: 'ok', id, url };
      });
    },
  };
}

function noticeWork(notices: NonNullable<PartCases['notify']>): Work {
  return {
    name: 'notify',
    part: 'notify',
    canBeBad: false,
    send: (connection, n, how) =>
      oneByOne(notices(n), async (notice) => {
        await partOf(connection, 'notify').post(notice, how.signal);
        return { state: 'ok' };
      }),
  };
}

/** Mails are answered for one by one, and what they are told apart by is their mark alone. */
function mailWork(mails: NonNullable<PartCases['mail']>): Work {
  return {
    name: 'mail',
    part: 'mail',
    canBeBad: true,
    send: (connection, n, how) =>
      oneByOne(mails(n, how.bad), (mail) =>
        partOf(connection, 'mail').send(mail, { signal: how.signal, begin: async () => undefined }),
      ),
  };
}

async function* chunked(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  const half = Math.ceil(bytes.byteLength / 2);
  yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}

/** Never more at once than a connector says it takes. */
async function inBatches<T>(
  items: readonly T[],
  { rows }: BatchLimits,
  { signal, again, tickets }: How,
  send: (items: readonly T[], one: Call) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let from = 0; from < items.length; from += rows) {
    const name = String(from);
    const keep = async (ticket: string): Promise<void> => void tickets.set(name, ticket);
    const some = items.slice(from, from + rows);
    const answers = await send(some, call({ signal, again, keep, ticket: tickets.get(name) }));
    if (answers.length !== some.length) {
      throw new Error(`${answers.length} outcomes for ${some.length} items`);
    }
    outcomes.push(...answers);
  }
  return outcomes;
}

async function oneByOne<T>(
  items: readonly T[],
  send: (item: T) => Promise<Outcome>,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const item of items) {
    try {
      outcomes.push(await send(item));
    } catch (error) {
      if (!(error instanceof ActivateError) || error.code !== 'ROW_REJECTED') {
        throw error;
      }
      outcomes.push({ state: 'rejected', reason: error.message });
    }
  }
  return outcomes;
}
