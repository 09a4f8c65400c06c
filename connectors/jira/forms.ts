import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Jira } from './client.ts';
import { invalid } from './config.ts';
import { read } from './errors.ts';
import { type ScreenField, screenField } from './fields.ts';

/** What can be filled in to make an issue of one type in one project. */
export interface CreateForm {
  readonly typeId: string;
  /** Of all types that issues of the project can have. */
  readonly typeNames: readonly string[];
  readonly fields: readonly ScreenField[];
}

const issueType = z.object({ id: z.string(), name: z.string(), subtask: z.boolean().default(false) });
const createField = screenField.extend({ fieldId: z.string() });
/** Data Center says `values` where Cloud names what the items are. */
const page = z.object({
  issueTypes: z.array(z.unknown()).optional(),
  fields: z.array(z.unknown()).optional(),
  values: z.array(z.unknown()).optional(),
  total: z.number().optional(),
  isLast: z.boolean().optional(),
});

/**
 * The form for new issues. CONFIG_INVALID when the project has no such type, or no labels on its screen: by their label
 * issues are found again after a crash.
 */
export async function createForm(
  api: Jira,
  project: string,
  typeName: string,
  signal: AbortSignal,
): Promise<CreateForm> {
  const path = `/issue/createmeta/${encodeURIComponent(project)}/issuetypes`;
  const types = (await all(api, path, issueType, signal)).filter(({ subtask }) => !subtask);
  const type = types.find(({ name }) => name.toLowerCase() === typeName.toLowerCase());
  if (type === undefined) {
    throw invalid(
      'issueType',
      `The project has no issue type "${typeName}".`,
      `Choose one of: ${types.map(({ name }) => name).join(', ')}.`,
    );
  }
  const fields = await all(api, `${path}/${encodeURIComponent(type.id)}`, createField, signal);
  if (!fields.some(({ fieldId }) => fieldId === 'labels')) {
    throw new ActivateError('CONFIG_INVALID', `The screen for a new ${type.name} has no labels.`, {
      fix: 'Add the field Labels to the create screen: by its label Activate finds an issue again after a crash.',
    });
  }
  return {
    typeId: type.id,
    typeNames: types.map(({ name }) => name),
    fields: fields.map(({ fieldId, ...field }) => ({ ...field, id: fieldId })),
  };
}

/** The fields that can be changed in an issue, as it stands. */
export async function editFields(
  api: Jira,
  id: string,
  signal: AbortSignal,
): Promise<readonly ScreenField[]> {
  const shape = z.object({ fields: z.record(z.string(), screenField) });
  const { fields } = read(shape, await api.get(`/issue/${id}/editmeta`, {}, signal));
  return Object.entries(fields).map(([name, field]) => ({ ...field, id: name }));
}

async function all<T>(
  api: Jira,
  path: string,
  shape: z.ZodType<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const items: T[] = [];
  for (;;) {
    const answer = await api.get(path, { startAt: items.length, maxResults: 50 }, signal);
    const { issueTypes, fields, values, total, isLast } = read(page, answer);
    const some = issueTypes ?? fields ?? values ?? [];
    items.push(...some.map((item) => read(shape, item)));
    if (some.length === 0 || isLast === true || (isLast === undefined && items.length >= (total ?? 0))) {
      return items;
    }
  }
}
