import { createHash, randomUUID } from 'node:crypto';
import { type AnyConnection, defineConnector, type PartName } from '../../engine/contracts/connector.ts';
import type {
  Audiences,
  BatchLimits,
  Events,
  Files,
  Notices,
  Objects,
  Outcome,
  Tasks,
} from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { hasCode } from '../shared/thrown.ts';
import { config, settingsOf } from './config.ts';
import { type Endpoint, openEndpoint } from './endpoint.ts';
import { madeIn, outcomesOf } from './results.ts';

/** Signed requests, after Standard Webhooks, for whatever has no connector of its own. */
export const webhook = defineConnector({
  id: 'webhook',
  name: 'Webhook',
  summary:
    'Sends rows, events, audiences, files, tasks and messages as signed requests to an address of yours.',
  config,
  offers: ['objects', 'events', 'audiences', 'files', 'tasks', 'notify'],
  hosts: ['*'],
  api: { version: 'Standard Webhooks 1' },
  setup: [
    'Make a signing secret: `echo "whsec_$(openssl rand -base64 32)"`. Give it to the receiver.',
    'Let the receiver check `webhook-signature` over the raw bytes of the body, before anything parses them; every [Standard Webhooks](https://www.standardwebhooks.com) package does.',
    'Let it remember `webhook-id` and answer a repeat like the first: the same delivery may come twice after a crash.',
    'Let it answer 2xx within 30 seconds: also to requests of type `ping`, which Activate sends when you connect.',
    'For lists of rows it may answer `{"results": [{"key": "…", "status": 200, "error": "…"}]}` with one result for each row; without, a 2xx means all of them.',
    'If the receiver is on your own network, an admin lists its host in `ALLOWED_PRIVATE_HOSTS`.',
  ],
  verified: 'A receiver of ours that checks each signature with the package `standardwebhooks`.',
  open: async (values, context) => {
    const endpoint = openEndpoint(settingsOf(values), context);
    return {
      objects: objectsOf(endpoint),
      events: eventsOf(endpoint),
      audiences: audiencesOf(endpoint),
      files: filesOf(endpoint),
      tasks: tasksOf(endpoint),
      notify: noticesOf(endpoint),
      check: (use) => check(endpoint, use),
      close: async () => undefined,
    } satisfies AnyConnection;
  },
});

const limitsOf = ({ settings }: Endpoint): BatchLimits => ({
  rows: settings.rows,
  bytes: 256 * 1024,
  concurrency: 4,
});

interface Row {
  readonly id: string;
  readonly key: string;
}

/** One request for the rows of a batch: one row as it is, or a list, as the connection says. */
async function deliver(
  endpoint: Endpoint,
  message: { readonly type: string; readonly about?: Readonly<Record<string, unknown>> },
  rows: readonly Row[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const [first] = rows;
  if (first === undefined) {
    return [];
  }
  const single = endpoint.settings.rows === 1;
  const id = single ? first.id : idOf(rows.map((row) => row.id));
  const answer = await endpoint.post({ ...message, id, data: single ? first : rows }, signal);
  return outcomesOf(answer, rows);
}

function objectsOf(endpoint: Endpoint): Objects {
  return {
    limits: limitsOf(endpoint),
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: false,
    objects: async (typed) => anyName(typed),
    // None named: any will do.
    fields: async () => [],
    verify: async () => [],
    write: ({ object, operation, match, items }, { run, signal }) =>
      deliver(
        endpoint,
        { type: `record.${operation}`, about: { object, match } },
        items.map(({ key, values }) => ({ id: idOf([run, object, operation, key, values]), key, values })),
        signal,
      ),
    find: async () => new Map(),
  };
}

function eventsOf(endpoint: Endpoint): Events {
  return {
    limits: limitsOf(endpoint),
    people: [
      { name: 'user_id', label: 'User id' },
      { name: 'email', label: 'E-mail address' },
      { name: 'anonymous_id', label: 'Anonymous id' },
    ],
    repeatsKnownForMs: undefined,
    send: (events, { signal }) =>
      deliver(
        endpoint,
        { type: 'event' },
        events.map((event) => ({ ...event, id: `act_${event.id}` })),
        signal,
      ),
  };
}

function audiencesOf(endpoint: Endpoint): Audiences {
  const change =
    (type: 'audience.add' | 'audience.remove'): Audiences['add'] =>
    (list, members, { run, signal }) =>
      deliver(
        endpoint,
        { type, about: { list } },
        members.map(({ key, identifiers }) => ({
          id: idOf([run, type, list, key, identifiers]),
          key,
          identifiers,
        })),
        signal,
      );
  return {
    limits: limitsOf(endpoint),
    identifiers: [
      { name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' },
      { name: 'email_sha256', label: 'E-mail, hashed', rule: 'email', hash: 'sha256' },
      { name: 'phone', label: 'Phone number', rule: 'phone-e164', hash: 'none' },
      { name: 'phone_sha256', label: 'Phone number, hashed', rule: 'phone-e164', hash: 'sha256' },
      { name: 'user_id', label: 'User id', rule: 'as-is', hash: 'none' },
    ],
    smallest: 0,
    lists: async (typed) => anyName(typed),
    create: async (name) => name,
    traits: async () => [],
    add: change('audience.add'),
    remove: change('audience.remove'),
  };
}

function filesOf(endpoint: Endpoint): Files {
  return {
    put: async ({ path, contentType, mark, overwrite }, body, { signal }) => {
      const id = idOf(['file', path, mark]);
      return { bytes: await endpoint.put({ id, path, contentType, overwrite, body }, signal) };
    },
    // Receivers take files, and are not asked for them.
    stat: async () => undefined,
    locate: (path) => `${endpoint.settings.url.host}/…/${path}`,
  };
}

function tasksOf(endpoint: Endpoint): Tasks {
  // Once more does no harm to how a task stands, but a change that is taken for an old one would be lost.
  const tell = async (type: string, data: object, signal: AbortSignal): Promise<void> => {
    await endpoint.post({ id: freshId(), type, data }, signal);
  };
  return {
    limits: { rows: 1, concurrency: 4 },
    findLagMs: 0,
    projects: async (typed) => anyName(typed),
    fields: async () => [],
    create: async (task, signal) => {
      const answer = await endpoint.post(
        { id: idOf(['task', task.mark]), type: 'task.created', data: task },
        signal,
      );
      const { id = task.mark, url = endpoint.settings.url.origin } = madeIn(answer);
      return { id, url };
    },
    // It can't be asked: that a repeat makes no second task is for the receiver to see to, by the id.
    find: async () => undefined,
    state: async () => 'open',
    update: (id, change, signal) => tell('task.updated', { id, ...change }, signal),
    comment: (id, text, signal) => tell('task.commented', { id, text }, signal),
    close: (id, signal) => tell('task.closed', { id }, signal),
    reopen: (id, signal) => tell('task.reopened', { id }, signal),
  };
}

function noticesOf(endpoint: Endpoint): Notices {
  return {
    post: async (notice, signal) => {
      const id = notice.update ? freshId() : idOf(['notice', notice.mark]);
      await endpoint.post({ id, type: 'notice', data: notice }, signal);
    },
  };
}

async function check(endpoint: Endpoint, use: PartName): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(15_000);
  try {
    await endpoint.post({ id: freshId(), type: 'ping', data: { use } }, signal);
  } catch (error) {
    // Many receivers answer a signature that they do not know with 400.
    if (hasCode(error, 'ROW_REJECTED')) {
      throw new ActivateError('AUTH_REJECTED', 'The receiver does not take a signed request of type ping.', {
        fix: 'Compare the signing secret with that of the receiver, and let it answer a ping with 2xx.',
      });
    }
    throw error;
  }
  return [];
}

/** Names are the receiver's own affair. */
function anyName(typed: string): Options {
  return typed.trim() === '' ? [] : [{ value: typed.trim(), label: typed.trim() }];
}

/** The same for the same content, whichever process sends it. */
function idOf(content: readonly unknown[]): string {
  return `act_${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32)}`;
}

function freshId(): string {
  return `act_${randomUUID().replaceAll('-', '')}`;
}
