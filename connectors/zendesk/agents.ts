import { z } from 'zod';
import { hasCode } from '../shared/thrown.ts';
import type { Zendesk } from './client.ts';
import { read } from './errors.ts';

const users = z.object({
  users: z.array(
    z.object({
      id: z.number(),
      email: z.string().nullish(),
      role: z.string().default('end-user'),
      active: z.boolean().default(true),
      suspended: z.boolean().default(false),
    }),
  ),
});
const membership = z.object({ group_id: z.number() });

/**
 * Who of a group has this e-mail address, by id; undefined when nobody has, or we may not look. Zendesk gives a ticket of
 * a group to nobody else, and refuses the whole of it for somebody whom it doesn't know.
 */
export async function agentOf(
  api: Zendesk,
  address: string,
  group: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  // Anything else could be read as a name, or as a search.
  if (!/^[^\s:"]+@[^\s:"]+$/.test(address)) {
    return undefined;
  }
  try {
    const found = read(users, await api.get('/users/search', { query: address }, signal)).users;
    const agent = found.find(
      ({ email, role, active, suspended }) =>
        email?.toLowerCase() === address.toLowerCase() && role !== 'end-user' && active && !suspended,
    );
    if (agent === undefined) {
      return undefined;
    }
    const path = `/users/${agent.id}/group_memberships`;
    for await (const one of api.pages(path, 'group_memberships', {}, signal)) {
      if (read(membership, one).group_id === group) {
        return agent.id;
      }
    }
    return undefined;
  } catch (error) {
    if (hasCode(error, 'PERMISSION_DENIED')) {
      return undefined;
    }
    throw error;
  }
}
