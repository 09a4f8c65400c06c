import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import type { Client } from './client.ts';

const all = z.object({
  lists: z.array(z.object({ id: z.number(), name: z.string(), listType: z.string().default('Standard') })),
});

/** Lists that people can be put on: those that Iterable fills by itself, and those that hold mails back, are others. */
async function listsThere(client: Client): Promise<z.output<typeof all>['lists']> {
  const { lists: found } = await client.ask({ method: 'GET', path: 'lists' }, all);
  return found.filter(({ listType }) => listType === 'Standard');
}

export async function lists(client: Client, typed: string): Promise<Options> {
  const wanted = typed.trim().toLowerCase();
  return (await listsThere(client))
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .sort((a, b) => a.name.length - b.name.length)
    .slice(0, 100)
    .map(({ id, name }) => ({ value: String(id), label: name.slice(0, 75) }));
}

export async function create(client: Client, name: string): Promise<string> {
  const there = (await listsThere(client)).find((one) => one.name === name.trim());
  if (there !== undefined) {
    return String(there.id);
  }
  const made = await client.ask(
    { method: 'POST', path: 'lists', json: { name: name.trim() } },
    z.object({ listId: z.number() }),
  );
  return String(made.listId);
}

/** The id of a list, as requests have it. */
export function listIdOf(list: string): number {
  if (!/^\d{1,15}$/.test(list)) {
    throw new ActivateError('INPUT_INVALID', 'This is not a list of Iterable.', {
      fix: 'Choose one of those that are offered.',
    });
  }
  return Number(list);
}
