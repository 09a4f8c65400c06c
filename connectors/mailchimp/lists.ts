import { z } from 'zod';
import type { FieldSpec } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { hasCode, nothingOn } from '../shared/thrown.ts';
import { invalid } from './config.ts';
import type { Endpoint } from './endpoint.ts';

/** A tag of an audience. Its number is that of the static segment of the same name. */
export interface Place {
  readonly audience: string;
  readonly tag: string;
}

export function placeOf(list: string): Place {
  const [, audience, tag] = /^([A-Za-z0-9]+):(\d+)$/.exec(list) ?? [];
  if (audience === undefined || tag === undefined) {
    throw new ActivateError('INPUT_INVALID', 'This is not a list of Mailchimp.', {
      fix: 'Choose one of those that are offered.',
    });
  }
  return { audience, tag };
}

interface Named {
  readonly id: string;
  readonly name: string;
}

const named = z.object({ id: z.coerce.string(), name: z.string() });

export async function audiencesThere(endpoint: Endpoint): Promise<readonly Named[]> {
  const only = endpoint.login.audience;
  if (only === undefined) {
    const query = { count: 1000, fields: 'lists.id,lists.name' };
    return (await endpoint.ask({ method: 'GET', path: 'lists', query }, z.object({ lists: z.array(named) })))
      .lists;
  }
  try {
    return [
      await endpoint.ask({ method: 'GET', path: `lists/${only}`, query: { fields: 'id,name' } }, named),
    ];
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) {
      throw invalid(
        'audience',
        'Mailchimp has no audience of this id.',
        'Connect again with the id that the settings of the audience show.',
      );
    }
    throw error;
  }
}

async function tags(endpoint: Endpoint, audience: string, name: string): Promise<readonly Named[]> {
  const request = { method: 'GET', path: `lists/${audience}/tag-search`, query: { name } } as const;
  return (await endpoint.ask(request, z.object({ tags: z.array(named) }))).tags;
}

export async function lists(endpoint: Endpoint, typed: string): Promise<Options> {
  const audiences = await audiencesThere(endpoint);
  const found: { readonly value: string; readonly label: string }[] = [];
  for (const { id, name } of audiences) {
    for (const tag of await tags(endpoint, id, typed.trim())) {
      const label = audiences.length === 1 ? tag.name : `${tag.name} (${name})`;
      found.push({ value: `${id}:${tag.id}`, label: label.slice(0, 75) });
    }
  }
  return found.sort((a, b) => a.label.length - b.label.length).slice(0, 100);
}

/** Mailchimp compares names without their capitals, and may change these. */
export async function create(endpoint: Endpoint, name: string): Promise<string> {
  const [first, second] = await audiencesThere(endpoint);
  if (first === undefined || second !== undefined) {
    const message =
      first === undefined ? 'This account has no audience.' : 'This account has several audiences.';
    throw new ActivateError('CONFIG_INVALID', `${message} A tag belongs to one.`, {
      fix: 'Connect again with the id of the audience in which lists are to be made.',
      fields: { audience: message },
    });
  }
  const same = (tag: Named): boolean => tag.name.toLowerCase() === name.trim().toLowerCase();
  const tag =
    (await tags(endpoint, first.id, name.trim())).find(same) ??
    (await endpoint.ask(
      { method: 'POST', path: `lists/${first.id}/segments`, json: { name: name.trim(), static_segment: [] } },
      named,
    ));
  return `${first.id}:${tag.id}`;
}

const mergeFields = z.object({
  merge_fields: z.array(
    z.object({
      tag: z.string(),
      name: z.string(),
      type: z.string(),
      options: z.object({ choices: z.array(z.string()).optional(), size: z.number().optional() }).default({}),
    }),
  ),
});

/** Facts that contacts of an audience can have. None is required: contacts are taken without them. */
export async function traits(endpoint: Endpoint, audience: string): Promise<readonly FieldSpec[]> {
  const { merge_fields: found } = await endpoint.ask(
    { method: 'GET', path: `lists/${audience}/merge-fields`, query: { count: 1000 } },
    mergeFields,
  );
  return found.map(({ tag, name, type, options: { choices, size } }) => ({
    name: tag,
    label: type === 'birthday' ? `${name} (MM/DD)` : name,
    type: typeOf(type),
    required: false,
    key: false,
    ...(type === 'text' && size !== undefined ? { maxLength: size } : {}),
    ...(choices === undefined || choices.length === 0 ? {} : { options: choices }),
  }));
}

function typeOf(type: string): FieldSpec['type'] {
  switch (type) {
    case 'number':
      return 'number';
    case 'date':
      return 'date';
    case 'address':
      return 'json';
    default:
      return 'text';
  }
}

/** The name of a tag as it is now. TARGET_GONE when there is none, or it is a segment that Mailchimp fills by itself. */
export async function nameOfTag(
  endpoint: Endpoint,
  { audience, tag }: Place,
  signal: AbortSignal,
): Promise<string> {
  const query = { fields: 'name,type' };
  const path = `lists/${audience}/segments/${tag}`;
  const shape = z.object({ name: z.string(), type: z.string() });
  const found = await endpoint
    .ask({ method: 'GET', path, query, signal }, shape)
    .catch(nothingOn('NOT_FOUND'));
  if (found?.type !== 'static') {
    throw new ActivateError('TARGET_GONE', 'This tag is not there any more in Mailchimp.', {
      fix: 'Choose another list for the sync.',
    });
  }
  return found.name;
}
