import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import { type Key, type Kind, keyOf, recordId } from './catalog.ts';
import type { Client } from './client.ts';
import { refusalShape } from './errors.ts';

/** At most so many records go in one request. */
export const perRequest = 100;

export interface Row {
  readonly id: string;
  readonly properties: Readonly<Record<string, string | null>>;
}

const rowShape = z.object({
  id: z.string(),
  properties: z.record(z.string(), z.string().nullable()).catch({}),
});
const rowsRead = z.object({ results: z.array(rowShape), errors: z.array(refusalShape).catch([]) });

/** A value as HubSpot compares it. */
export function sameAs({ isEmail }: Key, value: unknown): string {
  return isEmail ? String(value).trim().toLowerCase() : String(value);
}

const alsoKnownAs = 'hs_additional_emails';

/** Records by the values that they were found by, as {@link sameAs} has them. Those that are archived are not found. */
export async function readBy(
  client: Client,
  { object }: Kind,
  key: Key,
  values: readonly string[],
  properties: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Row>> {
  const found = new Map<string, Row>();
  const all = [...new Set(values.map((value) => sameAs(key, value)))];
  const asked = [...new Set([...properties, key.name, ...(key.isEmail ? [alsoKnownAs] : [])])];
  for (let from = 0; from < all.length; from += perRequest) {
    const some = all.slice(from, from + perRequest);
    const json = {
      properties: asked,
      propertiesWithHistory: [],
      inputs: some.map((id) => ({ id })),
      ...(key.idProperty === undefined ? {} : { idProperty: key.idProperty }),
    };
    const path = `${object}/batch/read`;
    const request = {
      method: 'POST',
      of: 'crm/objects',
      path,
      json,
      repeatable: true,
      rows: some,
      signal,
    } as const;
    const { results, errors } = await client.ask(request, rowsRead);
    const strange = errors.find(({ category }) => category !== 'OBJECT_NOT_FOUND');
    if (strange !== undefined) {
      const says = theirWords(strange.message, some);
      throw new ActivateError('ROW_REJECTED', `HubSpot does not look these records up. It says: ${says}`);
    }
    for (const row of results) {
      for (const name of namesOf(key, row)) {
        found.set(name, row);
      }
    }
  }
  return found;
}

/** A contact is found by each of its addresses, and shows the first one as its own. */
function namesOf(key: Key, { id, properties }: Row): readonly string[] {
  if (key.idProperty === undefined) {
    return [id];
  }
  const more = key.isEmail ? (properties[alsoKnownAs] ?? '').split(';') : [];
  return [properties[key.name] ?? '', ...more].filter((name) => name !== '').map((name) => sameAs(key, name));
}

/** Ids of records by the value of a field. A value that several records have means none of them. */
export async function findBy(
  client: Client,
  kind: Kind,
  field: string,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const key = uniqueKey(kind, field);
  if (key === undefined) {
    return searchFor(client, kind, field, values);
  }
  const found = await readBy(client, kind, key, values, []);
  return new Map(
    values.flatMap((value) => {
      const row = found.get(sameAs(key, value));
      return row === undefined ? [] : [[value, row.id] as const];
    }),
  );
}

function uniqueKey(kind: Kind, field: string): Key | undefined {
  if (field !== recordId && !kind.properties.has(field)) {
    throw new ActivateError(
      'CONFIG_INVALID',
      `HubSpot has no property ${field} of ${kind.object} (any more).`,
      {
        fix: 'Look records up by another property.',
      },
    );
  }
  try {
    return keyOf(kind, { match: [field], operation: 'update' });
  } catch {
    // Not unique: it can be searched for all the same.
    return undefined;
  }
}

const pageShape = z.object({
  results: z.array(rowShape),
  paging: z.object({ next: z.object({ after: z.string() }).optional() }).optional(),
});

/** Searching takes texts in small letters only, and sees new records some seconds late. */
async function searchFor(
  client: Client,
  { object }: Kind,
  field: string,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, Set<string>>();
  for (let from = 0; from < values.length; from += perRequest) {
    const wanted = [...new Set(values.slice(from, from + perRequest).map((value) => value.toLowerCase()))];
    const filters = [{ propertyName: field, operator: 'IN', values: wanted }];
    const json = { filterGroups: [{ filters }], properties: [field], sorts: [], limit: 200 };
    for (let after: string | undefined = '0'; after !== undefined; ) {
      const page: z.output<typeof pageShape> = await client.ask(
        {
          method: 'POST',
          of: 'crm/objects',
          path: `${object}/search`,
          json: { ...json, after },
          repeatable: true,
          rows: wanted,
        },
        pageShape,
      );
      for (const { id, properties } of page.results) {
        const value = (properties[field] ?? '').toLowerCase();
        ids.set(value, (ids.get(value) ?? new Set()).add(id));
      }
      after = page.paging?.next?.after;
    }
  }
  return new Map(
    values.flatMap((value) => {
      const [only, another] = ids.get(value.toLowerCase()) ?? [];
      return only === undefined || another !== undefined ? [] : [[value, only] as const];
    }),
  );
}

const ownersPage = z.object({
  results: z.array(z.object({ id: z.string(), email: z.string().nullish() })),
  paging: z.object({ next: z.object({ after: z.string() }).optional() }).optional(),
});

/** Ids of the account's people by e-mail address: what `hubspot_owner_id` takes. */
export async function findOwners(
  client: Client,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  const pages = new Set<string | undefined>();
  for (let after: string | undefined; !pages.has(after); ) {
    pages.add(after);
    const query = { limit: 500, after };
    const page: z.output<typeof ownersPage> = await client.ask(
      { method: 'GET', of: 'crm/owners', query },
      ownersPage,
    );
    for (const { id, email } of page.results) {
      ids.set((email ?? '').toLowerCase(), id);
    }
    after = page.paging?.next?.after;
  }
  return new Map(
    values.flatMap((value) => {
      const id = ids.get(value.trim().toLowerCase());
      return id === undefined ? [] : [[value, id] as const];
    }),
  );
}
