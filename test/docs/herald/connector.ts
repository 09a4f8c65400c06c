import { z } from 'zod';
import { type ConnectorContext, defineConnector } from '../../../engine/contracts/connector.ts';
import type { Audiences, Call, Member, Outcome } from '../../../engine/contracts/destination.ts';
import { ActivateError } from '../../../engine/contracts/errors.ts';
import { field, type Values } from '../../../engine/contracts/form.ts';
import { errorOf, type HttpAnswer, type HttpRequest } from '../../../engine/contracts/http.ts';

const api = { version: '2', endsOn: '2027-06-30' };

const config = {
  apiKey: field.secret({ label: 'API key', help: 'Paste the key of your Herald account.' }),
};

/** Herald keeps lists of people to write to. It knows them by their hashed address alone. */
export const herald = defineConnector({
  id: 'herald',
  name: 'Herald',
  summary: 'Keeps lists of Herald in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['api.herald.example'],
  api,
  setup: ['In Herald, open Account, Keys, and copy the key for integrations.'],
  verified: 'Tested against a server of ours that answers as Herald documents, not against Herald.',
  open: async (values, context) => {
    const ask = askOf(values, context);
    return {
      audiences: audiencesOf(ask),
      check: async () => {
        await ask({ method: 'GET', path: '/account' });
        return [];
      },
      close: async () => undefined,
    };
  },
});

function audiencesOf(ask: Ask): Audiences {
  const change =
    (verb: 'add' | 'remove') =>
    async (list: string, members: readonly Member[], { signal }: Call): Promise<readonly Outcome[]> => {
      const answer = await ask({
        method: 'POST',
        path: `/lists/${encodeURIComponent(list)}/${verb}`,
        json: { people: members.map(({ identifiers }) => identifiers['email']) },
        repeatable: true,
        signal,
      });
      read(z.object({ done: z.number() }), answer);
      return members.map(() => ({ state: 'ok' }));
    };
  const named = async (typed: string) => {
    const answer = await ask({ method: 'GET', path: '/lists', query: { q: typed } });
    return read(lists, answer).lists;
  };
  return {
    limits: { rows: 1000, concurrency: 1 },
    identifiers: [{ name: 'email', label: 'E-mail address', rule: 'email', hash: 'sha256' }],
    smallest: 0,
    lists: async (typed) => (await named(typed)).map(({ id, name }) => ({ value: id, label: name })),
    create: async (name) => {
      const there = (await named(name)).find((list) => list.name === name);
      return there?.id ?? read(list, await ask({ method: 'POST', path: '/lists', json: { name } })).id;
    },
    traits: async () => [],
    add: change('add'),
    remove: change('remove'),
  };
}

type Ask = (request: Omit<HttpRequest, 'url' | 'headers'> & { readonly path: string }) => Promise<HttpAnswer>;

function askOf({ apiKey }: Values<typeof config>, { http }: ConnectorContext): Ask {
  return async ({ path, ...request }) => {
    const answer = await http.send({
      ...request,
      url: `https://api.herald.example/v${api.version}${path}`,
      headers: { 'x-api-key': apiKey },
    });
    if (answer.status === 422) {
      throw new ActivateError('ROW_REJECTED', 'Herald refuses a list of people for one of them.');
    }
    if (!answer.ok) {
      throw errorOf(answer, 'Herald');
    }
    // A pause is asked for with status 200.
    const slow = throttled.safeParse(answer.json());
    if (slow.success) {
      const { wait } = slow.data;
      throw new ActivateError('RATE_LIMITED', 'Herald asks for a pause.', {
        ...(wait === undefined ? {} : { retryAfterMs: wait * 1000 }),
      });
    }
    return answer;
  };
}

const list = z.object({ id: z.string(), name: z.string() });
const lists = z.object({ lists: z.array(list) });
const throttled = z.object({ code: z.literal('throttled'), wait: z.number().optional() });

function read<T>(schema: z.ZodType<T>, answer: HttpAnswer): T {
  const parsed = schema.safeParse(answer.json());
  if (!parsed.success) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Herald answers in a shape that is not documented.');
  }
  return parsed.data;
}
