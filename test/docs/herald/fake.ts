import { type FakeHttp, startFakeHttp } from '../../fakes/http.ts';

export const apiKey = 'hk-9c1f4d7be2a05386';

interface List {
  readonly id: string;
  readonly name: string;
  readonly people: Set<string>;
}

/** Herald with one list, `l1`. */
export async function startHerald(): Promise<FakeHttp<List[]>> {
  return startFakeHttp<List[]>(
    [{ id: 'l1', name: 'Customers', people: new Set() }],
    {
      'GET /v2/account': () => ({ json: { name: 'Northwind' } }),
      'GET /v2/lists': ({ query }, all) => ({
        json: {
          lists: all
            .filter(({ name }) => name.includes(query.get('q') ?? ''))
            .map(({ id, name }) => ({ id, name })),
        },
      }),
      'POST /v2/lists': (request, all) => {
        const made = { id: `l${all.length + 1}`, name: request.json<{ name: string }>().name };
        all.push({ ...made, people: new Set() });
        return { json: made };
      },
      'POST /v2/lists/:list/:verb': (request, all) => {
        const { people } = request.json<{ people: string[] }>();
        const list = all.find(({ id }) => id === request.params['list']);
        if (list === undefined) {
          return { status: 404, json: { message: 'No such list.' } };
        }
        if (people.some((one) => !/^[0-9a-f]{64}$/.test(one))) {
          return { status: 422, json: { message: 'One of them is no hash.' } };
        }
        for (const one of people) {
          if (request.params['verb'] === 'add') {
            list.people.add(one);
          } else {
            list.people.delete(one);
          }
        }
        return { json: { done: people.length } };
      },
    },
    ({ headers }) => (headers['x-api-key'] === apiKey ? undefined : { status: 401 }),
  );
}
