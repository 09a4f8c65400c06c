import { z } from 'zod';
import type { NewTask, TaskRef } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { hasCode, nothingOn } from '../shared/thrown.ts';
import type { Jira } from './client.ts';
import type { Flavor } from './config.ts';
import { read } from './errors.ts';
import { filled } from './fields.ts';
import { type CreateForm, editFields } from './forms.ts';
import type { Person } from './people.ts';
import { richText } from './text.ts';

const made = z.object({ id: z.string(), key: z.string() });
const found = z.object({ issues: z.array(made) });

/** The property that proves an issue ours; its label is only what it is searched by, because properties are not. */
const property = 'activate';
const labelOf = (mark: string): string => `activate-${mark}`;

const longestTitle = 255;

/** Makes an issue with its label and its property in one call: there is no moment at which it has but one of them. */
export async function create(
  api: Jira,
  task: NewTask,
  form: CreateForm,
  person: Person | undefined,
  signal: AbortSignal,
): Promise<TaskRef> {
  const browse = await api.browse(signal);
  const { issuetype: _type, labels = null, ...more } = task.fields;
  const words = filled({ labels }, form.fields, api.flavor)['labels'] as readonly string[];
  const { fields, notes } = onScreen(contentOf(task, api.flavor), form);
  const body = {
    fields: {
      ...filled(more, form.fields, api.flavor),
      ...fields,
      project: /^\d+$/.test(task.project) ? { id: task.project } : { key: task.project },
      issuetype: { id: form.typeId },
      labels: [...words, labelOf(task.mark)],
    },
    properties: [{ key: property, value: { mark: task.mark } }],
  };
  const { result, assigned } = await withPerson(person, (who) =>
    api.post('/issue', { ...body, fields: { ...body.fields, ...who } }, signal),
  ).catch((thrown: unknown) => {
    throw hasCode(thrown, 'ROW_REJECTED') && thrown.fields?.['project'] !== undefined
      ? projectGone()
      : thrown;
  });
  const { id, key } = read(made, result);
  const all = [
    ...(task.assignee === undefined || assigned
      ? []
      : ['Jira shows nobody of this e-mail address who can be given the issue, so it has no assignee.']),
    ...notes,
    ...(task.title.length > longestTitle
      ? ['The title was cut to 255 characters; the whole of it begins the description.']
      : []),
  ];
  return { id, url: `${browse}${key}`, ...(all.length === 0 ? {} : { note: all.join(' ') }) };
}

export function projectGone(): ActivateError {
  return new ActivateError(
    'TARGET_GONE',
    'The project at Jira is gone, or its user may not make issues in it.',
    {
      fix: 'Give the user of the token the right to create issues there, or choose another project.',
    },
  );
}

/** Brings an issue up to date. Its type stays what it was made as, and its labels are only added to. */
export async function update(
  api: Jira,
  id: string,
  change: Omit<NewTask, 'mark' | 'project'>,
  person: Person | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { issuetype: _type, labels, ...more } = change.fields;
  const screen = await editFields(api, id, signal);
  const fields = {
    ...filled(more, screen, api.flavor),
    ...Object.fromEntries(
      Object.entries(contentOf(change, api.flavor)).filter(([name]) =>
        screen.some((field) => field.id === name),
      ),
    ),
  };
  const words = labels === undefined ? [] : (filled({ labels }, screen, api.flavor)['labels'] as string[]);
  const added = words.length === 0 ? {} : { update: { labels: words.map((word) => ({ add: word })) } };
  await withPerson(person, (who) =>
    api.put(`/issue/${id}`, { fields: { ...fields, ...who }, ...added }, signal),
  );
}

/** The issue with this mark. Search sees it after a while only (`findLagMs`), and in whatever project it is by now. */
export async function find(api: Jira, mark: string, signal: AbortSignal): Promise<TaskRef | undefined> {
  const jql = `labels = "${labelOf(mark)}" ORDER BY created ASC`;
  const path = api.flavor === 'cloud' ? '/search/jql' : '/search';
  const { issues } = read(found, await api.query(path, { jql, fields: ['created'], maxResults: 50 }, signal));
  for (const { id, key } of issues) {
    if ((await markIn(api, id, signal)) === mark) {
      return { id, url: `${await api.browse(signal)}${key}` };
    }
  }
  return undefined;
}

/** A copy that a person made has the label and not the property. */
async function markIn(api: Jira, id: string, signal: AbortSignal): Promise<string | undefined> {
  const shape = z.object({ value: z.object({ mark: z.string().optional() }) });
  return api
    .get(`/issue/${id}/properties/${property}`, {}, signal)
    .then((found) => read(shape, found).value.mark)
    .catch(nothingOn('NOT_FOUND'));
}

type Content = Pick<NewTask, 'title' | 'body' | 'due'>;

function contentOf({ title, body, due }: Content, flavor: Flavor): Record<string, unknown> {
  const long = title.length > longestTitle;
  const text = [...(long ? [title] : []), ...(body === '' ? [] : [body])].join('\n\n');
  return {
    summary: (long
      ? `${title.slice(0, longestTitle - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
      : title
    ).replaceAll(/\s*\n\s*/g, ' '),
    description: text === '' ? null : richText(flavor, text),
    ...(due === undefined ? {} : { duedate: due }),
  };
}

/** Leaves out what the screen has no place for, which Jira would refuse the whole issue for, and says so. */
function onScreen(
  content: Record<string, unknown>,
  { fields }: CreateForm,
): { readonly fields: Record<string, unknown>; readonly notes: readonly string[] } {
  const places: readonly string[] = ['summary', ...fields.map(({ id }) => id)];
  const given = Object.entries(content).filter(([, value]) => value !== null);
  const lacking = given.map(([name]) => name).filter((name) => !places.includes(name));
  const names = { description: 'description', duedate: 'due date' } as const;
  return {
    fields: Object.fromEntries(given.filter(([name]) => places.includes(name))),
    notes: lacking.map(
      (name) => `The screen for new issues has no ${names[name as keyof typeof names]}, so it was left out.`,
    ),
  };
}

/** When it is the person whom Jira refuses, and says so, the issue is written without. */
async function withPerson<T>(
  person: Person | undefined,
  write: (who: { readonly assignee?: Person }) => Promise<T>,
): Promise<{ readonly result: T; readonly assigned: boolean }> {
  if (person !== undefined) {
    try {
      return { result: await write({ assignee: person }), assigned: true };
    } catch (error) {
      if (!hasCode(error, 'ROW_REJECTED') || error.fields?.['assignee'] === undefined) {
        throw error;
      }
    }
  }
  return { result: await write({}), assigned: false };
}
