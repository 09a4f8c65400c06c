import type { MessageRef } from '../../engine/contracts/refs.ts';
import { isGone } from './errors.ts';
import type { Conversation } from './store.ts';
import type { Web } from './web.ts';

/** A person as Microsoft Graph has them. */
export interface GraphUser {
  readonly id: string;
  readonly displayName?: string;
  readonly mail?: string | null;
  readonly userPrincipalName?: string;
  readonly userType?: string | null;
}

/** The little that we ask Microsoft Graph, where the app was given leave to. */
export interface Graph {
  userByEmail(email: string): Promise<GraphUser | undefined>;
  /**
   * The message of ours that carries the mark, among those since then; undefined when there is none, or when Graph
   * doesn't let us read there.
   */
  find(
    place: Conversation,
    thread: string | undefined,
    mark: string,
    since: Date,
  ): Promise<MessageRef | undefined>;
}

/** Pages of 50 messages that are looked through. */
const PAGES = 20;
/** Microsoft's clock and ours may differ by this much. */
const SKEW_MS = 60_000;

interface Page {
  readonly value: readonly {
    readonly id: string;
    readonly createdDateTime?: string;
    readonly attachments?: readonly { readonly content?: string | null }[];
  }[];
  readonly '@odata.nextLink'?: string;
}

export function createGraph(web: Web, baseUrl: string): Graph {
  const base = baseUrl.replace(/\/+$/, '');
  const resource = new URL(base).origin;
  const get = <T>(url: string): Promise<T> => web.call<T>(resource, 'GET', url);
  return {
    userByEmail: async (email) => {
      const quoted = `'${email.replaceAll("'", "''")}'`;
      const query = new URLSearchParams({
        $filter: `mail eq ${quoted} or userPrincipalName eq ${quoted}`,
        $select: 'id,displayName,mail,userPrincipalName,userType',
        $top: '2',
      });
      const { value } = await get<{ value: readonly GraphUser[] }>(`${base}/v1.0/users?${query}`);
      return value.find((user) => user.mail?.toLowerCase() === email) ?? value[0];
    },
    find: async (place, thread, mark, since) => {
      const path = messagesOf(place, thread);
      if (path === undefined) {
        return undefined;
      }
      try {
        return await search(get, `${base}/v1.0${path}?$top=50`, { place, thread, mark, since, base });
      } catch (error) {
        if (isGone(error)) {
          return undefined;
        }
        throw error;
      }
    },
  };
}

function messagesOf(place: Conversation, thread: string | undefined): string | undefined {
  const id = encodeURIComponent(place.id);
  switch (place.kind) {
    case 'channel': {
      const root = thread === undefined ? '' : `/${encodeURIComponent(thread)}/replies`;
      return place.teamGroupId === null
        ? undefined
        : `/teams/${place.teamGroupId}/channels/${id}/messages${root}`;
    }
    case 'group':
      return `/chats/${id}/messages`;
    case 'personal':
      // The id that bots know a personal chat by means nothing to Graph.
      return undefined;
    default:
      return place.kind satisfies never;
  }
}

async function search(
  get: <T>(url: string) => Promise<T>,
  first: string,
  wanted: {
    readonly place: Conversation;
    readonly thread: string | undefined;
    readonly mark: string;
    readonly since: Date;
    readonly base: string;
  },
): Promise<MessageRef | undefined> {
  const { place, thread, mark, since, base } = wanted;
  const oldest = since.getTime() - SKEW_MS;
  let url: string | undefined = first;
  for (let page = 0; page < PAGES && url !== undefined; page += 1) {
    const read: Page = await get<Page>(url);
    const found = read.value.find(({ attachments }) =>
      attachments?.some(({ content }) => content?.includes(`mark-${mark}`) === true),
    );
    if (found !== undefined) {
      const within = thread === undefined ? {} : { thread };
      return {
        conversation: { kind: 'conversation', platform: 'teams', id: place.id, ...within },
        id: found.id,
      };
    }
    const old = read.value.every(({ createdDateTime }) => Date.parse(createdDateTime ?? '') < oldest);
    const next: string | undefined = read['@odata.nextLink'];
    // The token goes nowhere but to the Graph that was configured.
    url = old || next === undefined || !next.startsWith(`${base}/`) ? undefined : next;
  }
  return undefined;
}
