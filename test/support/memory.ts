import { type Connection, defineConnector } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  BatchLimits,
  Call,
  Event,
  FieldSpec,
  Item,
  Mail,
  MailOutcome,
  Mails,
  Member,
  NewFile,
  NewTask,
  Objects,
  Outcome,
  TaskState,
  Tasks,
  Value,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { encodeLine } from '../../engine/contracts/lines.ts';
import type { Column, KeyOrder, Query, Source } from '../../engine/contracts/source.ts';
import { momentOf } from '../../engine/planner/window.ts';

/** One call as the far side got it. */
export interface Got {
  readonly verb: string;
  readonly keys: readonly string[];
  readonly items: readonly unknown[];
  readonly again: boolean;
  readonly run: string;
}

/** What goes wrong with one call: for a row it is answered instead, or thrown for all; `applied` says what is done all the same. */
export interface Trouble {
  readonly outcomes?: readonly (Outcome | undefined)[];
  readonly thrown?: ActivateError;
  /** Whether the item at this position is carried out; those whose outcome is not set are, all others not, when left out. */
  readonly applied?: (at: number) => boolean;
}

export interface StoredTask extends NewTask {
  readonly id: string;
  readonly state: TaskState;
  readonly comments: string[];
}

export type Cell = string | null;

/** A warehouse and a far side in memory: tables that a test fills, and what was written there. */
export class World {
  columns: readonly Column[] = [];
  order: KeyOrder = 'numeric';
  rows: Cell[][] = [];
  /** By the match values, as JSON. */
  readonly records = new Map<string, Record<string, Value>>();
  readonly members = new Set<string>();
  readonly events: Event[] = [];
  readonly files = new Map<string, { bytes: Buffer; mark: string }>();
  readonly tasks = new Map<string, StoredTask>();
  /** As they were taken, the same one as often as it was. */
  readonly mails: Mail[] = [];
  /** What becomes of a mail, where it is not taken: of recipients before its content, `unknown` after it was taken all the same. */
  mailSays: (mail: Mail) => Promise<MailOutcome | undefined> | MailOutcome | undefined = () => undefined;
  readonly calls: Got[] = [];
  readonly queries: Query[] = [];
  fields: FieldSpec[] = [];
  limits: BatchLimits = { rows: 100, concurrency: 2 };
  findLagMs = 0;
  /** Takes many new rows at once, where a test says how. */
  fill: Objects['fill'];
  /** Asked before each call; scripted per test. */
  trouble: (got: Got) => Trouble | undefined = () => undefined;
  /** Told before and after whatever is done: where a process can die. */
  step: () => void = () => undefined;

  reset(): void {
    this.rows = [];
    this.records.clear();
    this.members.clear();
    this.events.length = 0;
    this.files.clear();
    this.tasks.clear();
    this.mails.length = 0;
    this.mailSays = () => undefined;
    this.calls.length = 0;
    this.queries.length = 0;
    this.fields = [];
    this.limits = { rows: 100, concurrency: 2 };
    this.findLagMs = 0;
    this.fill = undefined;
    this.trouble = () => undefined;
    this.step = () => undefined;
  }

  async handle<T extends { readonly key: string }>(
    verb: string,
    items: readonly T[],
    call: Pick<Call, 'again' | 'run'>,
    apply: (item: T) => Outcome,
  ): Promise<readonly Outcome[]> {
    const got = { verb, items, keys: items.map((item) => item.key), again: call.again, run: call.run };
    this.step();
    this.calls.push(got);
    const trouble = this.trouble(got);
    const applied =
      trouble?.applied ?? ((at) => trouble?.thrown === undefined && trouble?.outcomes?.[at] === undefined);
    const outcomes = items.map((item, at): Outcome => (applied(at) ? apply(item) : { state: 'ok' }));
    // Other calls go on meanwhile.
    await Promise.resolve();
    this.step();
    if (trouble?.thrown !== undefined) {
      throw trouble.thrown;
    }
    return outcomes.map((outcome, at) => trouble?.outcomes?.[at] ?? outcome);
  }

  /** The one thing of a single call: a file, a task. */
  async single<R>(verb: string, key: string, item: unknown, again: boolean, apply: () => R): Promise<R> {
    const found: R[] = [];
    await this.handle(verb, [{ key, item }], { again, run: '' }, () => {
      found.push(apply());
      return { state: 'ok' };
    });
    const [result] = found;
    if (found.length === 0) {
      throw new ActivateError('UNAVAILABLE', 'The far side did not do it.');
    }
    return result as R;
  }
}

/** A failure of a whole call. */
export function failure(
  code: 'RATE_LIMITED' | 'UNAVAILABLE' | 'OUTCOME_UNKNOWN' | 'ROW_REJECTED' | 'AUTH_REJECTED',
  retryAfterMs?: number,
): ActivateError {
  return new ActivateError(
    code,
    `The far side says ${code}.`,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  );
}

/** A connector of the tests' own: every part, in memory. */
export function memoryConnector(world: World) {
  return defineConnector({
    id: 'memory',
    name: 'Memory',
    summary: 'Keeps everything in memory.',
    config: {},
    offers: ['source', 'objects', 'events', 'audiences', 'files', 'tasks', 'mail'],
    hosts: [],
    setup: [],
    verified: 'It is a test.',
    open: async (): Promise<
      Connection<'source' | 'objects' | 'events' | 'audiences' | 'files' | 'tasks' | 'mail'>
    > => ({
      source: sourceOf(world),
      objects: objectsOf(world),
      events: {
        get limits() {
          return world.limits;
        },
        people: [{ name: 'user_id', label: 'User' }],
        repeatsKnownForMs: undefined,
        send: (events, call) =>
          world.handle('send', events, call, (event) => {
            world.events.push(event);
            return { state: 'ok' };
          }),
      },
      audiences: audiencesOf(world),
      files: {
        put: (file, body, call) => put(world, file, body, call),
        stat: async (path) => {
          const file = world.files.get(path);
          return file === undefined ? undefined : { bytes: file.bytes.length, mark: file.mark };
        },
        locate: (path) => `memory/${path}`,
      },
      tasks: tasksOf(world),
      mail: mailsOf(world),
      check: async () => [],
      close: async () => undefined,
    }),
  });
}

function sourceOf(world: World): Source {
  return {
    dialect: 'postgresql',
    tables: async () => ['rows'],
    selectAll: () => 'select * from rows',
    describe: async () => world.columns,
    preview: async (_sql, rows) => ({ columns: world.columns, rows: world.rows.slice(0, rows) }),
    count: async () => world.rows.length,
    suggestKey: async () => [],
    read: async (query) => {
      world.queries.push(query);
      const names = world.columns.map((column) => column.name);
      const at = (name: string): number => names.indexOf(name);
      const since = query.since;
      const kept = world.rows.filter((row) => {
        const cell = since === undefined ? undefined : row[at(since.column)];
        const moment = typeof cell === 'string' ? (momentOf(cell) ?? Number.POSITIVE_INFINITY) : undefined;
        return since === undefined || (moment !== undefined && moment >= (momentOf(since.value) ?? 0n));
      });
      const columns = [...query.key, ...query.columns.filter((name) => !query.key.includes(name))];
      const [key] = query.key;
      const inOrder =
        key === undefined ? kept : [...kept].sort((a, b) => compare(a[at(key)], b[at(key)], world.order));
      const lines = inOrder.map((row) => encodeLine(columns.map((name) => row[at(name)] ?? null)));
      return {
        order: query.key.map(() => world.order),
        sorted: true,
        lines: (async function* () {
          yield Buffer.concat(lines);
        })(),
      };
    },
  };
}

function compare(a: Cell | undefined, b: Cell | undefined, order: KeyOrder): number {
  return order === 'numeric'
    ? Number(a) - Number(b)
    : Buffer.compare(Buffer.from(a ?? ''), Buffer.from(b ?? ''));
}

function objectsOf(world: World): Objects {
  return {
    get limits() {
      return world.limits;
    },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: true,
    objects: async () => [{ value: 'thing', label: 'Thing' }],
    fields: async () => world.fields,
    verify: async () => [],
    write: ({ operation, match, items }, call) => {
      const names = items.map((item) => nameOf(match, item));
      if (new Set(names).size < names.length) {
        throw new Error(`The same record twice in one batch: ${names.join(' ')}`);
      }
      return world.handle(operation, items, call, (item) => write(world, operation, match, item, call.again));
    },
    fill: async (batch, call) => (await world.fill?.(batch, call)) ?? false,
    find: async (_object, field, values) =>
      new Map(
        [...world.records.values()].flatMap((record) =>
          values.includes(String(record[field]))
            ? [[String(record[field]), `id-${String(record[field])}`]]
            : [],
        ),
      ),
  };
}

function nameOf(match: readonly string[], item: Item): string {
  return JSON.stringify(match.map((field) => item.values[field]));
}

function write(
  world: World,
  operation: string,
  match: readonly string[],
  item: Item,
  again: boolean,
): Outcome {
  const name = nameOf(match, item);
  const before = world.records.get(name);
  if (operation === 'delete') {
    world.records.delete(name);
  } else if (operation === 'insert') {
    if (before !== undefined && !again) {
      return { state: 'rejected', reason: 'It is there already.' };
    }
    world.records.set(name, before ?? { ...item.values });
  } else if (operation === 'upsert' || before !== undefined) {
    world.records.set(name, { ...before, ...item.values });
  } else {
    return { state: 'rejected', reason: 'There is no such record.' };
  }
  return { state: 'ok' };
}

function audiencesOf(world: World): Audiences {
  const names = ({ identifiers }: Member): string[] =>
    Object.entries(identifiers).map(([name, value]) => `${name} ${value}`);
  return {
    get limits() {
      return world.limits;
    },
    identifiers: [
      { name: 'EMAIL', label: 'E-mail', rule: 'email', hash: 'none' },
      { name: 'ID', label: 'Id', rule: 'as-is', hash: 'none' },
    ],
    smallest: 0,
    lists: async () => [{ value: 'list', label: 'List' }],
    create: async (name) => name,
    traits: async () => [],
    add: (_list, members, call) =>
      world.handle('add', members, call, (member) => {
        for (const name of names(member)) {
          world.members.add(name);
        }
        return { state: 'ok' };
      }),
    remove: (_list, members, call) =>
      world.handle('remove', members, call, (member) => {
        for (const name of names(member)) {
          world.members.delete(name);
        }
        return { state: 'ok' };
      }),
  };
}

/** As a mail server does it: what it refuses it refuses before the content, and once it has that nothing takes it back. */
function mailsOf(world: World): Mails {
  return {
    limits: { rows: 1, concurrency: 2 },
    send: async (mail, call) => {
      const says = await world.mailSays(mail);
      if (says !== undefined && says.state !== 'unknown') {
        return says;
      }
      await call.begin();
      await world.handle('mail', [{ ...mail, key: mail.to }], { again: false, run: '' }, () => {
        world.mails.push(mail);
        return { state: 'ok' };
      });
      return says ?? { state: 'ok', id: mail.mark };
    },
  };
}

async function put(
  world: World,
  file: NewFile,
  body: () => AsyncIterable<Uint8Array>,
  call: Call,
): Promise<{ readonly bytes: number; readonly mark: string }> {
  const pieces: Uint8Array[] = [];
  const there = world.files.get(file.path);
  if (there !== undefined && there.mark === file.mark && call.again) {
    return { bytes: there.bytes.length, mark: there.mark };
  }
  if (there !== undefined && !file.overwrite) {
    throw new ActivateError('EXISTS', 'There is a file of this name already.');
  }
  for await (const piece of body()) {
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  return world.single('put', file.path, file, call.again, () => {
    world.files.set(file.path, { bytes, mark: file.mark });
    return { bytes: bytes.length, mark: file.mark };
  });
}

function tasksOf(world: World): Tasks {
  const task = (id: string): StoredTask => {
    const found = world.tasks.get(id);
    if (found === undefined) {
      throw new ActivateError('NOT_FOUND', 'There is no such task.');
    }
    return found;
  };
  const done = (verb: string, id: string, apply: (found: StoredTask) => void): Promise<void> =>
    world.single(verb, id, undefined, false, () => apply(task(id)));
  return {
    get limits() {
      return { ...world.limits, rows: 1 };
    },
    get findLagMs() {
      return world.findLagMs;
    },
    projects: async () => [{ value: 'project', label: 'Project' }],
    fields: async () => [],
    create: (made) =>
      world.single('create', made.mark, made, false, () => {
        const id = `T-${world.tasks.size + 1}`;
        world.tasks.set(id, { ...made, id, state: 'open', comments: [] });
        return { id, url: `memory/${id}` };
      }),
    find: (_project, mark) =>
      world.single('find', mark, undefined, false, () => {
        const found = [...world.tasks.values()].find((one) => one.mark === mark);
        return found === undefined ? undefined : { id: found.id, url: `memory/${found.id}` };
      }),
    state: (id) => world.single('state', id, undefined, false, () => world.tasks.get(id)?.state ?? 'gone'),
    update: (id, change) => done('update', id, (found) => void Object.assign(found, change)),
    comment: (id, text) => done('comment', id, (found) => void found.comments.push(text)),
    close: (id) => done('close', id, (found) => void Object.assign(found, { state: 'closed' })),
    reopen: (id) => done('reopen', id, (found) => void Object.assign(found, { state: 'open' })),
  };
}
