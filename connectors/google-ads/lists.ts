import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { nearest } from '../shared/named.ts';
import { type Api, bodyOf, read } from './api.ts';
import type { Kind, NewLists } from './config.ts';

export interface List {
  readonly id: string;
  readonly name: string;
  /** Undefined for lists that no people can be put on, or by things that we do not know. */
  readonly kind: Kind | undefined;
  /** Somebody, or Google itself after long disuse, has closed it: it takes nobody. */
  readonly closed: boolean;
}

const listShape = z.object({
  id: z.coerce.string(),
  displayName: z.string().default(''),
  readOnly: z.boolean().default(false),
  membershipStatus: z.string().default('OPEN'),
  ingestedUserListInfo: z.object({ uploadKeyTypes: z.array(z.string()).default([]) }).optional(),
});
const pageShape = z.object({
  userLists: z.array(listShape).default([]),
  nextPageToken: z.string().default(''),
});

const kinds: ReadonlyMap<string, Kind> = new Map([
  ['CONTACT_ID', 'contact'],
  ['USER_ID', 'user'],
  ['MOBILE_ID', 'mobile'],
]);

const kindNames = { contact: '', user: ' (user ids)', mobile: ' (advertising ids)' } as const;

export const placeOf = ({ login }: Api): string =>
  `accountTypes/GOOGLE_ADS/accounts/${login.account}/userLists`;

function listOf({
  id,
  displayName,
  readOnly,
  membershipStatus,
  ingestedUserListInfo,
}: z.output<typeof listShape>): List {
  const kind = ingestedUserListInfo?.uploadKeyTypes
    .map((type) => kinds.get(type))
    .find((one) => one !== undefined);
  return { id, name: displayName, kind: readOnly ? undefined : kind, closed: membershipStatus === 'CLOSED' };
}

/** The lists that people can be put on. */
async function listsThere(api: Api): Promise<readonly (List & { readonly kind: Kind })[]> {
  const found: (List & { readonly kind: Kind })[] = [];
  for (let pageToken: string | undefined; ; ) {
    const reply = await api.ask({ method: 'GET', path: placeOf(api), query: { pageSize: 1000, pageToken } });
    const { userLists, nextPageToken } = read(pageShape, bodyOf(reply));
    for (const list of userLists.map(listOf)) {
      if (list.kind !== undefined && !list.closed) {
        found.push({ ...list, kind: list.kind });
      }
    }
    if (nextPageToken === '') {
      return found;
    }
    pageToken = nextPageToken;
  }
}

export async function lists(api: Api, typed: string): Promise<Options> {
  return nearest(await listsThere(api), typed).map(({ id, name, kind }) => ({
    value: id,
    label: `${name.slice(0, 55)}${kindNames[kind]}`,
  }));
}

/** Google has each name once in an account, among lists that are closed or filled otherwise too. */
export async function create(api: Api, name: string): Promise<string> {
  const there = async (): Promise<string | undefined> =>
    (await listsThere(api)).find((list) => list.name === name)?.id;
  const found = await there();
  if (found !== undefined) {
    return found;
  }
  const reply = await api.ask({
    method: 'POST',
    path: placeOf(api),
    json: listToMake(name, api.login.newLists),
  });
  if ('error' in reply && isTaken(reply.refusal.reasons)) {
    const made = await there();
    if (made === undefined) {
      throw new ActivateError('EXISTS', 'The account has a list of this name that nobody can be put on.', {
        fix: 'Give the list another name.',
      });
    }
    return made;
  }
  return read(listShape, bodyOf(reply)).id;
}

export function isTaken(reasons: readonly string[]): boolean {
  return reasons.includes('DISPLAY_NAME_ALREADY_USED') || reasons.includes('ALREADY_EXISTS');
}

export function listToMake(name: string, { kind, appId, days }: NewLists): object {
  const dataSourceType = 'DATA_SOURCE_TYPE_FIRST_PARTY';
  const mobile = (keySpace: 'IOS' | 'ANDROID'): object => ({
    uploadKeyTypes: ['MOBILE_ID'],
    mobileIdInfo: { dataSourceType, keySpace, appId },
  });
  const by = {
    contact: { uploadKeyTypes: ['CONTACT_ID'], contactIdInfo: { dataSourceType } },
    user: { uploadKeyTypes: ['USER_ID'], userIdInfo: { dataSourceType } },
    ios: mobile('IOS'),
    android: mobile('ANDROID'),
  };
  return {
    displayName: name,
    description: 'Kept in step by Activate.',
    // Whole days, in seconds.
    membershipDuration: `${days * 86_400}s`,
    ingestedUserListInfo: by[kind],
  };
}

/** What people of a list are known by. TARGET_GONE when there is no such list, or nobody can be put on it. */
export async function kindOf(api: Api, id: string, adding: boolean, signal: AbortSignal): Promise<Kind> {
  const reply = await api.ask({ method: 'GET', path: `${placeOf(api)}/${encodeURIComponent(id)}`, signal });
  if ('error' in reply && reply.error.code === 'NOT_FOUND') {
    throw gone('This list is not there any more in Google Ads.');
  }
  const { kind, closed } = listOf(read(listShape, bodyOf(reply)));
  if (kind === undefined) {
    throw gone('Nobody can be put on this list of Google Ads: Google fills it, or it is shared.');
  }
  if (closed && adding) {
    throw gone('This list of Google Ads is closed: it takes nobody.');
  }
  return kind;
}

function gone(message: string): ActivateError {
  return new ActivateError('TARGET_GONE', message, {
    fix: 'Choose another list for the sync, or open this one again in Audience manager.',
  });
}
