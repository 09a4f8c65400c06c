import { z } from 'zod';
import type { NewTask, TaskRef } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { hasCode, nothingOn } from '../shared/thrown.ts';
import { type Asana, pages, read } from './client.ts';
import type { Settings } from './config.ts';
import { type CustomField, customField, filled } from './fields.ts';

const made = z.object({ gid: z.string(), permalink_url: z.string().optional() });
const listed = made.extend({
  created_at: z.string(),
  notes: z.string().default(''),
  custom_fields: z.array(z.object({ text_value: z.string().nullish() })).default([]),
});

/** Makes a task with its mark: beside it (an app), in a field, or in the last line of its description. */
export async function create(
  api: Asana,
  settings: Settings,
  task: NewTask,
  fields: readonly CustomField[],
  signal: AbortSignal,
): Promise<TaskRef> {
  const { title, body, due, project, mark } = task;
  const values = filled(task.fields, fields);
  const { login } = settings;
  const place = login.type === 'token' ? fields.find((field) => isMarkField(field, settings)) : undefined;
  const inNotes = login.type === 'token' && place === undefined;
  const custom = {
    ...values,
    ...(place === undefined ? {} : { [place.gid]: markLine(mark) }),
  };
  const data = {
    name: title,
    notes: inNotes ? withMark(body, markLine(mark)) : body,
    projects: [project],
    ...(due === undefined ? {} : { due_on: due }),
    ...(Object.keys(custom).length === 0 ? {} : { custom_fields: custom }),
    ...(login.type === 'app' ? { external: { gid: markLine(mark) } } : {}),
  };
  const { result, note } = await assigned(task.assignee, (who) => api.create({ ...data, ...who }, signal))
    // A custom field that there is not is a bad request: what is not found is the project.
    .catch((thrown: unknown) => {
      throw hasCode(thrown, 'NOT_FOUND')
        ? new ActivateError('TARGET_GONE', 'The project at Asana is gone, or hidden from this token.', {
            fix: 'Add the user of the token to the project, or choose another one.',
          })
        : thrown;
    });
  return { ...refOf(read(made, result)), ...(note === undefined ? {} : { note }) };
}

/** Brings a task up to date; the line with its mark stays. */
export async function update(
  api: Asana,
  id: string,
  change: Omit<NewTask, 'mark' | 'project'>,
  signal: AbortSignal,
): Promise<void> {
  const { title, body, due } = change;
  const of = ['resource_subtype', 'name', 'is_formula_field', 'is_value_read_only']
    .concat('enum_options', 'enum_options.name', 'enum_options.enabled')
    .map((name) => `custom_fields.${name}`);
  const shape = z.object({ notes: z.string().default(''), custom_fields: z.array(customField).default([]) });
  const there = read(shape, await api.task(id, ['notes', 'custom_fields', ...of], signal));
  const mark = there.notes.split('\n').findLast((line) => /^activate-[A-Za-z0-9]{1,40}$/.test(line.trim()));
  const values = filled(change.fields, there.custom_fields);
  const data = {
    name: title,
    notes: mark === undefined ? body : withMark(body, mark.trim()),
    ...(due === undefined ? {} : { due_on: due }),
    ...(Object.keys(values).length === 0 ? {} : { custom_fields: values }),
  };
  await assigned(change.assignee, (who) => api.change(id, { ...data, ...who }, signal));
}

/**
 * Asana refuses a whole task for an assignee that it does not know, in more ways than one. So a refusal is tried once
 * more without: what goes through then was about the assignee.
 */
async function assigned<T>(
  assignee: string | undefined,
  write: (who: { readonly assignee?: string }) => Promise<T>,
): Promise<{ readonly result: T; readonly note?: string }> {
  if (assignee === undefined) {
    return { result: await write({}) };
  }
  const note = 'Asana knows nobody of this e-mail address who can be given the task, so it has no assignee.';
  // Anything else could be read as somebody: `me` would be the user of the token.
  if (!assignee.includes('@')) {
    return { result: await write({}), note };
  }
  try {
    return { result: await write({ assignee }) };
  } catch (error) {
    if (!hasCode(error, 'ROW_REJECTED', 'PERMISSION_DENIED', 'NOT_FOUND')) {
      throw error;
    }
    return { result: await write({}), note };
  }
}

/** Goes through the tasks of the project that changed since just before; search would not see the newest ones. */
export async function findMarked(
  api: Asana,
  project: string,
  mark: string,
  since: Date,
  signal: AbortSignal,
): Promise<TaskRef | undefined> {
  // Clocks differ.
  const from = new Date(Math.max(0, since.getTime() - 120_000));
  const line = markLine(mark);
  const found: z.output<typeof listed>[] = [];
  for await (const one of pages((offset) => api.tasks(project, from, offset, signal))) {
    const task = read(listed, one);
    const inField = task.custom_fields.some(({ text_value }) => text_value?.trim() === line);
    if (inField || task.notes.split('\n').some((text) => text.trim() === line)) {
      found.push(task);
    }
  }
  // A person's copy of a task has its mark too: the oldest is ours.
  const [oldest] = found.sort((a, b) => a.created_at.localeCompare(b.created_at));
  return oldest === undefined ? undefined : refOf(oldest);
}

/** The task that our app made with this mark. Other apps and tokens have values of their own. */
export async function findExternal(
  api: Asana,
  mark: string,
  signal: AbortSignal,
): Promise<TaskRef | undefined> {
  const found = await api
    .task(externalId(mark), ['gid', 'permalink_url'], signal)
    .catch(nothingOn('NOT_FOUND'));
  return found === undefined ? undefined : refOf(read(made, found));
}

export function isMarkField({ name, resource_subtype }: CustomField, { markField }: Settings): boolean {
  return resource_subtype === 'text' && name.trim().toLowerCase() === markField?.trim().toLowerCase();
}

const markLine = (mark: string): string => `activate-${mark}`;
const externalId = (mark: string): string => `external:${markLine(mark)}`;
const withMark = (body: string, line: string): string => (body === '' ? line : `${body}\n\n${line}`);

function refOf({ gid, permalink_url }: z.output<typeof made>): TaskRef {
  return { id: gid, url: permalink_url ?? `https://app.asana.com/0/0/${gid}` };
}
