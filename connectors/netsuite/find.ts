import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { externalId } from './catalog.ts';
import type { Client } from './client.ts';

const perQuery = 500;
const pageShape = z.object({
  items: z.array(z.object({ id: z.coerce.string(), matched: z.coerce.string() })),
  hasMore: z.boolean().catch(false),
});

/** Internal ids of records by the value of a field. A value that several records have means none of them. */
export async function findBy(
  client: Client,
  object: string,
  field: string,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (!/^[A-Za-z]\w*$/.test(object) || !/^[A-Za-z]\w*$/.test(field)) {
    throw new ActivateError('CONFIG_INVALID', 'NetSuite has no such field to look records up by.', {
      fix: 'Look records up by another field.',
    });
  }
  const prefix = field === externalId ? client.login.idPrefix : '';
  const ids = new Map<string, Set<string>>();
  const wanted = [...new Set(values.map((value) => `${prefix}${value}`))];
  for (let from = 0; from < wanted.length; from += perQuery) {
    const some = wanted.slice(from, from + perQuery);
    const q = `SELECT id, ${field} AS matched FROM ${object} WHERE ${field} IN (${some.map(quoted).join(', ')})`;
    for (let offset = 0, more = true; more; offset += 1000) {
      const page: z.output<typeof pageShape> = await client.ask(
        {
          method: 'POST',
          path: '/query/v1/suiteql',
          query: { limit: 1000, offset },
          headers: { prefer: 'transient' },
          json: { q },
          repeatable: true,
        },
        pageShape,
      );
      for (const { id, matched } of page.items) {
        ids.set(matched, (ids.get(matched) ?? new Set()).add(id));
      }
      more = page.hasMore;
    }
  }
  return new Map(
    values.flatMap((value) => {
      const [only, another] = ids.get(`${prefix}${value}`) ?? [];
      return only === undefined || another !== undefined ? [] : [[value, only] as const];
    }),
  );
}

/** Over REST a query takes no parameters, so that what ends a text has to be doubled. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
