import { z } from 'zod';
import type { NewTask, TaskRef, TaskState } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { hasCode, nothingOn } from '../shared/thrown.ts';
import type { Zendesk } from './client.ts';
import type { Settings } from './config.ts';
import { read } from './errors.ts';
import { filled, type TicketField } from './fields.ts';

const ticketShape = z.object({
  id: z.number(),
  status: z.string().default('open'),
  created_at: z.string().default(''),
  updated_at: z.string().default(''),
  description: z.string().nullish(),
  group_id: z.number().nullish(),
  assignee_id: z.number().nullish(),
  tags: z.array(z.string()).default([]),
});
type Ticket = z.output<typeof ticketShape>;
const one = z.object({ ticket: ticketShape });
const commentShape = z.object({ body: z.string().default('') });

/** Whom a ticket of this group can be given to. */
export type FindAgent = (address: string, group: number, signal: AbortSignal) => Promise<number | undefined>;

const noteOnAgent =
  'The group has no agent of this e-mail address at Zendesk, so the ticket has no assignee.';
const noteOnDue = 'Only tickets of the type task have a day at Zendesk, so it was left out.';

/** Makes a ticket with its mark: as the key by which Zendesk knows a repeat for two hours, and as its external id. */
export async function create(
  api: Zendesk,
  settings: Settings,
  task: NewTask,
  fields: readonly TicketField[],
  findAgent: FindAgent,
  signal: AbortSignal,
): Promise<TaskRef> {
  const group = groupOf(task.project);
  const { assignee, title, body } = task;
  const agent = assignee === undefined ? undefined : await findAgent(assignee, group, signal);
  const day = dayOf(task);
  const ticket = {
    subject: title,
    // Zendesk takes no ticket without a text.
    comment: { body: body === '' ? title : body, public: settings.isPublic },
    group_id: group,
    external_id: markOf(task.mark),
    ...filled(task.fields, fields),
    ...day.values,
    ...(agent === undefined ? {} : { assignee_id: agent }),
  };
  const made = await api.create(ticket, markOf(task.mark), signal).catch(async (thrown: unknown) => {
    const aboutGroup =
      hasCode(thrown, 'ROW_REJECTED') && /group/.test(Object.keys(thrown.fields ?? {}).join());
    if (aboutGroup && !(await hasGroup(api, group, signal))) {
      throw groupGone();
    }
    throw thrown;
  });
  const notes = [...(assignee !== undefined && agent === undefined ? [noteOnAgent] : []), ...day.notes];
  return {
    ...refOf(read(one, made).ticket, settings),
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  };
}

/**
 * Brings a ticket up to date. Its first comment can't be changed at Zendesk, so that another text comes as a note of its
 * own; tags are added to those that are there.
 */
export async function update(
  api: Zendesk,
  id: string,
  change: Omit<NewTask, 'mark' | 'project'>,
  fields: readonly TicketField[],
  findAgent: FindAgent,
  signal: AbortSignal,
): Promise<void> {
  const there = await ticketOf(api, id, signal);
  const { assignee } = change;
  const agent =
    assignee === undefined || !there.group_id ? undefined : await findAgent(assignee, there.group_id, signal);
  const { tags = [], ...values } = filled(change.fields, fields) as { readonly tags?: readonly string[] };
  const more = tags.filter((tag) => !there.tags.includes(tag.toLowerCase()));
  const text =
    change.body === '' || (await textIn(api, there, signal)) === squeezed(change.body)
      ? undefined
      : change.body;
  const ticket = {
    subject: change.title,
    ...values,
    ...dayOf(change).values,
    ...(agent === undefined ? {} : { assignee_id: agent }),
    // All tags are written at once: those that somebody else adds meanwhile would be lost, and that Zendesk refuses then.
    ...(more.length === 0
      ? {}
      : { tags: [...there.tags, ...more], safe_update: true, updated_stamp: there.updated_at }),
    ...(text === undefined ? {} : { comment: { body: `${newText}\n\n${text}`, public: false } }),
  };
  await api.change(id, ticket, text === undefined, signal);
}

/** Says something to the agents, unless it is what was said last: by an attempt whose answer was lost. */
export async function comment(api: Zendesk, id: string, text: string, signal: AbortSignal): Promise<void> {
  const last = (await commentsOf(api, id, signal)).at(-1);
  if (squeezed(last ?? '') !== squeezed(text)) {
    await api.change(id, { comment: { body: text, public: false } }, false, signal);
  }
}

/** The ticket with this mark. External ids need not be unique: the oldest is ours. */
export async function find(
  api: Zendesk,
  settings: Settings,
  mark: string,
  signal: AbortSignal,
): Promise<TaskRef | undefined> {
  const found: Ticket[] = [];
  for await (const each of api.pages('/tickets', 'tickets', { external_id: markOf(mark) }, signal)) {
    found.push(read(ticketShape, each));
  }
  const [oldest] = found
    .filter(({ status }) => status !== 'deleted')
    .sort((a, b) => a.created_at.localeCompare(b.created_at) || a.id - b.id);
  return oldest === undefined ? undefined : refOf(oldest, settings);
}

export async function stateOf(api: Zendesk, id: string, signal: AbortSignal): Promise<TaskState> {
  try {
    const { status } = await ticketOf(api, id, signal);
    return status === 'deleted' ? 'gone' : isDone(status) ? 'closed' : 'open';
  } catch (error) {
    if (hasCode(error, 'PERMISSION_DENIED')) {
      // Hidden from this agent, unless none can be read: that throws.
      await mayRead(api, signal);
      return 'gone';
    }
    if (hasCode(error, 'NOT_FOUND')) {
      return 'gone';
    }
    throw error;
  }
}

/** Throws PERMISSION_DENIED when no ticket at all may be read. */
export async function mayRead(api: Zendesk, signal: AbortSignal): Promise<void> {
  await api.get('/tickets', { 'page[size]': 1 }, signal);
}

/** Solves a ticket. Zendesk solves none that belongs to nobody: then it is given to the user of the connection. */
export async function close(api: Zendesk, id: string, signal: AbortSignal): Promise<void> {
  const { status, assignee_id } = await ticketOf(api, id, signal);
  if (isDone(status)) {
    return;
  }
  try {
    await api.change(id, { status: 'solved' }, true, signal);
  } catch (error) {
    if (!hasCode(error, 'ROW_REJECTED') || assignee_id) {
      throw error;
    }
    const me = read(z.object({ user: z.object({ id: z.number() }) }), await api.get('/users/me', {}, signal));
    await api.change(id, { status: 'solved', assignee_id: me.user.id }, true, signal);
  }
}

export async function reopen(api: Zendesk, id: string, signal: AbortSignal): Promise<void> {
  const { status } = await ticketOf(api, id, signal);
  if (status === 'closed') {
    throw new ActivateError(
      'ROW_REJECTED',
      'Zendesk has closed this ticket for good, some days after it was solved; it can not be opened again.',
    );
  }
  if (isDone(status)) {
    await api.change(id, { status: 'open' }, true, signal);
  }
}

/** False when there is none of this id. */
export async function hasGroup(api: Zendesk, group: number, signal: AbortSignal): Promise<boolean> {
  const shape = z.object({ group: z.object({ deleted: z.boolean().default(false) }) });
  const found = await api.get(`/groups/${group}`, {}, signal).catch(nothingOn('NOT_FOUND'));
  return found !== undefined && !read(shape, found).group.deleted;
}

export function groupOf(project: string): number {
  if (!/^\d{1,15}$/.test(project)) {
    throw groupGone();
  }
  return Number(project);
}

function groupGone(): ActivateError {
  return new ActivateError('TARGET_GONE', 'The group at Zendesk is gone.', { fix: 'Choose another one.' });
}

const isDone = (status: string): boolean => status === 'solved' || status === 'closed';
const markOf = (mark: string): string => `activate-${mark}`;
const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
const newText = 'The text has changed:';

async function ticketOf(api: Zendesk, id: string, signal: AbortSignal): Promise<Ticket> {
  return read(one, await api.get(`/tickets/${encodeURIComponent(id)}`, {}, signal)).ticket;
}

async function commentsOf(api: Zendesk, id: string, signal: AbortSignal): Promise<readonly string[]> {
  const bodies: string[] = [];
  for await (const each of api.pages(`/tickets/${encodeURIComponent(id)}/comments`, 'comments', {}, signal)) {
    bodies.push(read(commentShape, each).body);
  }
  return bodies;
}

/** The text as we said it last, its spaces squeezed: Zendesk does not keep all of them. */
async function textIn(api: Zendesk, { id, description }: Ticket, signal: AbortSignal): Promise<string> {
  const said = (await commentsOf(api, String(id), signal)).findLast((body) => body.startsWith(newText));
  return squeezed(said?.slice(newText.length) ?? description ?? '');
}

/** Noon in UTC: the same day nearly everywhere. */
function dayOf({ due, fields }: Pick<NewTask, 'due' | 'fields'>): {
  readonly values: object;
  readonly notes: readonly string[];
} {
  if (due === undefined) {
    return { values: {}, notes: [] };
  }
  return (fields['type'] ?? 'task') === 'task'
    ? { values: { type: 'task', due_at: `${due}T12:00:00Z` }, notes: [] }
    : { values: {}, notes: [noteOnDue] };
}

function refOf({ id }: Ticket, { site }: Settings): TaskRef {
  return { id: String(id), url: `${site}/agent/tickets/${id}` };
}
