import { z } from 'zod';
import { nothingOn } from '../shared/thrown.ts';
import type { Jira } from './client.ts';
import { read } from './errors.ts';

/** Somebody as Jira wants them to be named. */
export type Person = { readonly accountId: string } | { readonly name: string };

const users = z.array(
  z.object({
    accountId: z.string().optional(),
    name: z.string().optional(),
    emailAddress: z.string().nullish(),
    active: z.boolean().default(true),
    accountType: z.string().default('atlassian'),
  }),
);

/**
 * Who has this e-mail address; undefined when nobody has, nobody can be seen to have it, or we may not look. What is no
 * address is taken for an account id (Cloud) or a user name, for people whose profile hides their address.
 */
export async function personOf(api: Jira, address: string, signal: AbortSignal): Promise<Person | undefined> {
  const cloud = api.flavor === 'cloud';
  if (!address.includes('@')) {
    return cloud ? { accountId: address } : { name: address };
  }
  const query = cloud ? { query: address } : { username: address };
  const found = await api
    .get('/user/search', { ...query, maxResults: 50 }, signal)
    .catch(nothingOn('PERMISSION_DENIED'));
  const people = read(users, found ?? []).filter(
    ({ active, accountType }) => active && accountType === 'atlassian',
  );
  const named = people.find(({ emailAddress }) => emailAddress?.toLowerCase() === address.toLowerCase());
  // The search knows hidden addresses too. Where it has one answer alone, and that hides its own, it is the one.
  const hidden = people.length === 1 && !people[0]?.emailAddress ? people[0] : undefined;
  const { accountId, name } = named ?? hidden ?? {};
  if (cloud) {
    return accountId === undefined ? undefined : { accountId };
  }
  return name === undefined ? undefined : { name };
}
