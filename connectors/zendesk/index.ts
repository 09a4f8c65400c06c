import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Tasks, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptForAMinute } from '../shared/kept.ts';
import { hasCode } from '../shared/thrown.ts';
import { agentOf } from './agents.ts';
import { openZendesk, version, type Zendesk } from './client.ts';
import { config, invalid, type Settings, settingsOf } from './config.ts';
import { read } from './errors.ts';
import { customOf, specsOf, type TicketField, ticketField } from './fields.ts';
import {
  close,
  comment,
  create,
  type FindAgent,
  find,
  groupOf,
  hasGroup,
  mayRead,
  reopen,
  stateOf,
  update,
} from './tickets.ts';

/** Tickets for groups of agents at Zendesk. */
export const zendesk = defineConnector({
  id: 'zendesk',
  name: 'Zendesk',
  summary: 'Makes tickets for groups of agents at Zendesk, and keeps them in step with their rows.',
  config,
  offers: ['tasks'],
  hosts: ['*.zendesk.com'],
  api: { version },
  setup: [
    'Best, make an agent of its own for Activate, who is in the groups that tickets are for and may see all tickets. Tickets come in its name, and it is their requester unless a mapping says who is.',
    'In the Admin Center, under Apps and integrations, APIs, OAuth clients, add a client of the kind confidential as that agent, and paste its identifier and its secret. It asks for the scopes `read` and `write`.',
    'Zendesk gives out no API tokens any more and ends those that there are on 30 April 2027. Until then one does, with the e-mail address of its agent.',
    'Each new ticket fires the triggers of Zendesk, which may write to its requester. Switch off those that are not for tickets of Activate before the first run: each ticket has an external id that begins with `activate-`.',
    'The text of a ticket is an internal note unless the connection says otherwise. Zendesk can not change it afterwards: another text comes as a note of its own.',
    'A ticket has a due day only as a task: where a day is mapped, its type becomes task.',
    'Tickets are closed as solved. Some days later Zendesk closes them for good, and then they are not opened again.',
  ],
  verified: 'A server of ours that answers as documented; not yet Zendesk itself.',
  open: async (values, context) => {
    const settings = settingsOf(values);
    const api = openZendesk(settings, context);
    return {
      tasks: tasksOf(api, settings, context.now),
      check: () => check(api),
      close: async () => undefined,
    };
  },
});

function tasksOf(api: Zendesk, settings: Settings, now: () => Date): Tasks {
  const fields = keptForAMinute(now, (_name, signal) => readFields(api, signal));
  const agents = keptForAMinute(now, (name, signal) => {
    const [address = '', group = ''] = JSON.parse(name) as readonly string[];
    return agentOf(api, address, Number(group), signal);
  });
  const findAgent: FindAgent = (address, group, signal) =>
    agents.kept(JSON.stringify([address, String(group)]), signal);
  const needed = (values: Readonly<Record<string, Value>>, signal: AbortSignal) =>
    customOf(values).length === 0 ? [] : fields.kept('all', signal);
  return {
    limits: { rows: 1, concurrency: 4, paceMs: 60_000 / settings.requestsPerMinute },
    // Within two hours the key of the ticket keeps it from being made twice, whatever the list of tickets sees by then.
    findLagMs: 60_000,
    projects: (typed) => projectsOf(api, typed.trim().toLowerCase()),
    fields: async (project) => {
      const signal = AbortSignal.timeout(30_000);
      if (!(await hasGroup(api, groupOf(project), signal))) {
        throw new ActivateError('NOT_FOUND', 'Zendesk has no group of this id.', {
          fix: 'Choose another one.',
        });
      }
      return specsOf(await fields.fresh('all', signal));
    },
    create: async (task, signal) =>
      create(api, settings, task, await needed(task.fields, signal), findAgent, signal),
    find: (_project, mark, _since, signal) => find(api, settings, mark, signal),
    state: (id, signal) => stateOf(api, id, signal),
    update: async (id, change, signal) =>
      update(api, id, change, await needed(change.fields, signal), findAgent, signal),
    comment: (id, text, signal) => comment(api, id, text, signal),
    close: (id, signal) => close(api, id, signal),
    reopen: (id, signal) => reopen(api, id, signal),
  };
}

const self = z.object({
  user: z.object({
    id: z.number().nullish(),
    role: z.string().nullish(),
    ticket_restriction: z.string().nullish(),
  }),
});

async function check(api: Zendesk): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(30_000);
  const { user } = read(self, await api.get('/users/me', {}, signal).catch(notHere));
  // Zendesk takes a request without a key for one of a stranger, and answers it.
  if (!user.id) {
    throw new ActivateError('AUTH_REJECTED', 'Zendesk does not know who this is.', {
      fix: 'Compare the key and connect again: /activate connect.',
    });
  }
  if (user.role === 'end-user') {
    throw new ActivateError('PERMISSION_DENIED', 'The user of the connection is not an agent at Zendesk.', {
      fix: 'Make it an agent, or connect as one: /activate connect.',
    });
  }
  await mayRead(api, signal);
  return user.ticket_restriction
    ? ['The agent may not see all tickets, and those that move out of its sight are taken for gone.']
    : [];
}

function notHere(thrown: unknown): never {
  throw hasCode(thrown, 'NOT_FOUND')
    ? invalid(
        'subdomain',
        'There is no Zendesk of this subdomain.',
        'Give what comes before .zendesk.com where you open Zendesk.',
      )
    : thrown;
}

const groupShape = z.object({ id: z.number(), name: z.string(), deleted: z.boolean().default(false) });

async function projectsOf(api: Zendesk, typed: string): Promise<Options> {
  const options = [];
  for await (const each of api.pages('/groups/assignable', 'groups', {}, AbortSignal.timeout(30_000))) {
    const { id, name, deleted } = read(groupShape, each);
    if (!deleted && name.toLowerCase().includes(typed)) {
      options.push({ value: String(id), label: name.slice(0, 75) });
    }
  }
  return options.slice(0, 100);
}

async function readFields(api: Zendesk, signal: AbortSignal): Promise<readonly TicketField[]> {
  const all: TicketField[] = [];
  for await (const each of api.pages('/ticket_fields', 'ticket_fields', {}, signal)) {
    all.push(read(ticketField, each));
  }
  return all;
}
