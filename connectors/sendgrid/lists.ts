import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { nearest, optionOf } from '../shared/named.ts';
import { type Client, read } from './client.ts';

const listShape = z.object({ id: z.string(), name: z.string() });
type List = z.output<typeof listShape>;

const page = z.object({
  result: z.array(listShape).default([]),
  _metadata: z.object({ next: z.string().optional() }).optional(),
});

/** SendGrid shows 100 at a time unless asked for more, and has no search: all pages are read. */
async function all(client: Client): Promise<readonly List[]> {
  const found: List[] = [];
  for (let token: string | undefined; ; ) {
    const query = { page_size: 1000, page_token: token };
    const { result, _metadata: more } = read(
      page,
      await client.ask({ method: 'GET', path: 'marketing/lists', query }),
    );
    found.push(...result);
    const next = tokenIn(more?.next);
    if (next === undefined || next === token) {
      return found;
    }
    token = next;
  }
}

/** The link itself is not followed: it leads to whatever host it names. */
function tokenIn(link: string | undefined): string | undefined {
  const token =
    link !== undefined && parsedUrl(link) !== undefined ? new URL(link).searchParams.get('page_token') : null;
  return token === null || token === '' ? undefined : token;
}

export async function lists(client: Client, typed: string): Promise<Options> {
  return nearest(await all(client), typed).map(optionOf);
}

const longestName = 100;

/** A name that is taken is refused: somebody may have made the list meanwhile, or the answer to us may be lost. */
export async function create(client: Client, name: string): Promise<string> {
  const wanted = name.trim();
  if (wanted.length > longestName) {
    throw new ActivateError(
      'INPUT_INVALID',
      `A list of SendGrid has a name of ${longestName} characters at most.`,
      {
        fix: 'Give the list a shorter name.',
      },
    );
  }
  const named = async (): Promise<string | undefined> =>
    (await all(client)).find((list) => list.name === wanted)?.id;
  const there = await named();
  if (there !== undefined) {
    return there;
  }
  const reply = await client.ask({ method: 'POST', path: 'marketing/lists', json: { name: wanted } });
  const taken = 'error' in reply && reply.status === 400 ? await named() : undefined;
  return taken ?? read(listShape, reply).id;
}

/** TARGET_GONE when it is not there: people would be kept without being on any list. */
export async function mustBeThere(client: Client, list: string, signal: AbortSignal): Promise<void> {
  const path = `marketing/lists/${encodeURIComponent(list)}`;
  const reply = await client.ask({ method: 'GET', path, signal });
  if ('error' in reply && (reply.status === 404 || reply.status === 400)) {
    throw new ActivateError('TARGET_GONE', 'This list is not there any more in SendGrid.', {
      fix: 'Choose another list for the sync.',
    });
  }
  read(listShape, reply);
}
