import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { type Http, type HttpRequest, withToken } from '../../engine/contracts/http.ts';
import { readOr } from '../shared/json.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Settings } from './config.ts';
import { refusalOf, signInRefusal } from './errors.ts';

/** What we ask of Asana, each as one request. Answers are what stands under `data`; lists come page by page. */
export interface Asana {
  me(signal: AbortSignal): Promise<unknown>;
  workspaces(signal: AbortSignal): Promise<unknown>;
  projects(workspace: string, typed: string, signal: AbortSignal): Promise<unknown>;
  /** The settings of a project's custom fields. */
  fields(project: string, offset: string | undefined, signal: AbortSignal): Promise<Page>;
  /** Those tasks of a project that were changed since then, finished ones too. */
  tasks(project: string, since: Date, offset: string | undefined, signal: AbortSignal): Promise<Page>;
  task(id: string, want: readonly string[], signal: AbortSignal): Promise<unknown>;
  create(task: object, signal: AbortSignal): Promise<unknown>;
  change(id: string, change: object, signal: AbortSignal): Promise<void>;
  comment(id: string, text: string, signal: AbortSignal): Promise<void>;
}

export interface Page {
  readonly data: readonly unknown[];
  /** Of the page that follows. */
  readonly offset: string | undefined;
}

const wrapped = z.object({ data: z.unknown() });
const paged = z.object({
  data: z.array(z.unknown()),
  next_page: z.object({ offset: z.string() }).nullish(),
});
const madeFields = 'gid,permalink_url';
const fieldFields = ['gid', 'name', 'resource_subtype', 'is_formula_field', 'is_value_read_only']
  .concat('enum_options', 'enum_options.gid', 'enum_options.name', 'enum_options.enabled')
  .map((name) => `custom_field.${name}`)
  .join(',');
const taskFields = 'gid,notes,permalink_url,created_at,custom_fields.text_value';

/**
 * Opens the vendor's package, which knows the paths and parameters. What it would send by itself goes out over our way
 * to the web instead: its own knows no list of hosts and no signal, tries nothing again, and its errors carry the token.
 */
export async function openAsana(settings: Settings, context: ConnectorContext): Promise<Asana> {
  const vendor = await import('asana');
  const http = signedIn(settings, context);
  const client = (signal: AbortSignal): InstanceType<typeof vendor.ApiClient> => {
    const made = new vendor.ApiClient();
    made.basePath = `${settings.baseUrl}/api/1.0`;
    made.RETURN_COLLECTION = false;
    made.callApi = async (path, method, pathParams, queryParams, _headers, _form, sent: unknown) => {
      const answer = await http.send({
        method: method as HttpRequest['method'],
        url: made.buildUrl(path, pathParams),
        query: made.normalizeParams(queryParams),
        headers: { 'user-agent': context.applicationName },
        ...(sent === null ? {} : { json: sent }),
        // What is put twice stands there once.
        ...(method === 'PUT' ? { repeatable: true } : {}),
        signal,
      });
      if (!answer.ok) {
        throw refusalOf(answer, sent);
      }
      return { response: answer, data: answer.json() };
    };
    return made;
  };
  const tasks = (signal: AbortSignal) => new vendor.TasksApi(client(signal));
  return {
    me: async (signal) =>
      inside(await new vendor.UsersApi(client(signal)).getUser('me', { opt_fields: 'gid' })),
    workspaces: async (signal) =>
      inside(
        await new vendor.WorkspacesApi(client(signal)).getWorkspaces({ limit: 100, opt_fields: 'gid,name' }),
      ),
    projects: async (workspace, typed, signal) => {
      const wanted = { query: typed, count: 100, opt_fields: 'gid,name,archived' };
      const api = new vendor.TypeaheadApi(client(signal));
      return inside(await api.typeaheadForWorkspace(workspace, 'project', wanted));
    },
    fields: async (project, offset, signal) => {
      const api = new vendor.CustomFieldSettingsApi(client(signal));
      const wanted = { limit: 100, opt_fields: fieldFields, ...from(offset) };
      return pageOf(await api.getCustomFieldSettingsForProject(project, wanted));
    },
    tasks: async (project, since, offset, signal) => {
      const wanted = { project, modified_since: since.toISOString(), limit: 100, opt_fields: taskFields };
      return pageOf(await tasks(signal).getTasks({ ...wanted, ...from(offset) }));
    },
    task: async (id, want, signal) => inside(await tasks(signal).getTask(id, { opt_fields: want.join(',') })),
    create: async (task, signal) =>
      inside(await tasks(signal).createTask({ data: task }, { opt_fields: madeFields })),
    change: async (id, change, signal) => {
      await tasks(signal).updateTask({ data: change }, id, { opt_fields: 'gid' });
    },
    comment: async (id, text, signal) => {
      const api = new vendor.StoriesApi(client(signal));
      await api.createStoryForTask({ data: { text } }, id, { opt_fields: 'gid' });
    },
  };
}

/** The first page is asked for without an offset. */
function from(offset: string | undefined): { readonly offset?: string } {
  return offset === undefined ? {} : { offset };
}

function signedIn({ login, baseUrl }: Settings, { http }: ConnectorContext): Http {
  switch (login.type) {
    case 'token':
      return {
        send: ({ headers, ...request }) =>
          http.send({ ...request, headers: { ...headers, authorization: `Bearer ${login.token}` } }),
      };
    case 'app':
      return withToken(http, () =>
        // The refresh token stays the same, so that asking twice does no harm.
        grantedToken(http, {
          vendor: 'Asana',
          url: `${baseUrl}/-/oauth_token`,
          form: {
            grant_type: 'refresh_token',
            client_id: login.clientId,
            client_secret: login.clientSecret,
            refresh_token: login.refreshToken,
          },
          refused: signInRefusal,
        }),
      );
    default:
      return login satisfies never;
  }
}

function inside(answer: unknown): unknown {
  return read(wrapped, answer).data;
}

function pageOf(answer: unknown): Page {
  const { data, next_page } = read(paged, answer);
  return { data, offset: next_page?.offset };
}

/** The items of all pages. */
export async function* pages(next: (offset: string | undefined) => Promise<Page>): AsyncIterable<unknown> {
  let offset: string | undefined;
  do {
    const page = await next(offset);
    yield* page.data;
    offset = page.offset;
  } while (offset !== undefined);
}

export const read = readOr('Asana answers something that Activate does not understand.');
