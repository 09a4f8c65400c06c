import { z } from 'zod';
import type { TaskState } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { hasCode } from '../shared/thrown.ts';
import type { Jira } from './client.ts';
import { read } from './errors.ts';

const status = z.object({ name: z.string().default(''), statusCategory: z.object({ key: z.string() }) });
const issue = z.object({ fields: z.object({ status }) });
const transitions = z.object({
  transitions: z.array(
    z.object({
      id: z.string(),
      to: status,
      fields: z
        .record(
          z.string(),
          z.object({
            required: z.boolean().default(false),
            hasDefaultValue: z.boolean().default(false),
            allowedValues: z
              .array(z.object({ id: z.string().optional(), name: z.string().optional() }))
              .nullish(),
          }),
        )
        .default({}),
    }),
  ),
});
type Transition = z.output<typeof transitions>['transitions'][number];

/** Every status of every workflow is in one of three: `new`, `indeterminate` and `done`. */
async function categoryOf(api: Jira, id: string, signal: AbortSignal): Promise<string> {
  const found = await api.get(`/issue/${id}`, { fields: 'status' }, signal);
  return read(issue, found).fields.status.statusCategory.key;
}

export async function stateOf(api: Jira, id: string, signal: AbortSignal): Promise<TaskState> {
  try {
    return (await categoryOf(api, id, signal)) === 'done' ? 'closed' : 'open';
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND', 'PERMISSION_DENIED')) {
      throw error;
    }
    // Issues are hidden from strangers: this throws when that is what we have become.
    await api.get('/myself', {}, signal);
    return 'gone';
  }
}

/** Moves an issue to a status of these categories, the first of them if it can be. Does nothing to one that is there. */
export async function moveTo(
  api: Jira,
  id: string,
  categories: readonly ('new' | 'indeterminate' | 'done')[],
  signal: AbortSignal,
): Promise<void> {
  const wanted: readonly string[] = categories;
  if (wanted.includes(await categoryOf(api, id, signal))) {
    return;
  }
  const path = `/issue/${id}/transitions`;
  const found = read(transitions, await api.get(path, { expand: 'transitions.fields' }, signal));
  const ways = wanted
    .flatMap((key) => found.transitions.filter(({ to }) => to.statusCategory.key === key).sort(plainFirst))
    .map((transition) => ({ transition, missing: missingIn(transition) }));
  const way = ways.find(({ missing }) => missing.length === 0);
  if (way === undefined) {
    throw new ActivateError(
      'ROW_REJECTED',
      ways.length === 0
        ? 'The workflow has no step from where the issue is now to where it should go.'
        : `The step of the workflow asks for more than Activate knows: ${ways[0]?.missing.join(', ')}.`,
    );
  }
  await api.post(path, { transition: { id: way.transition.id }, ...resolutionOf(way.transition) }, signal);
}

/** Workflows have several ways to be done; the plain one is before "Won't do". */
function plainFirst(a: Transition, b: Transition): number {
  const plain = ({ to }: Transition): number => (/^(?:done|closed|resolved)$/i.test(to.name.trim()) ? 0 : 1);
  return plain(a) - plain(b);
}

function missingIn({ fields }: Transition): readonly string[] {
  return Object.entries(fields)
    .filter(([name, { required, hasDefaultValue }]) => required && !hasDefaultValue && name !== 'resolution')
    .map(([name]) => name);
}

/** The one field that we can fill in: older workflows ask for it at every step to the end. */
function resolutionOf({ fields }: Transition): object {
  const { required = false, allowedValues } = fields['resolution'] ?? {};
  const values = allowedValues ?? [];
  const id = (values.find(({ name }) => /^(?:done|fixed)$/i.test(name ?? '')) ?? values[0])?.id;
  return required && id !== undefined ? { fields: { resolution: { id } } } : {};
}
