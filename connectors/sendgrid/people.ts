import { z } from 'zod';
import type { FieldSpec, Identifier, Member, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Client, read, wordsOf } from './client.ts';

/** What contacts are known by; whoever has several is looked for by the first. */
export const identifiers = [
  { name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' },
  { name: 'external_id', label: 'External id', rule: 'as-is', hash: 'none' },
  { name: 'phone_number_id', label: 'Telephone number', rule: 'phone-e164', hash: 'none' },
  { name: 'anonymous_id', label: 'Anonymous id', rule: 'as-is', hash: 'none' },
] as const satisfies readonly Identifier[];
type Way = (typeof identifiers)[number]['name'];

export const longestIdentifier = 254;

function wayTo({ identifiers: given }: Member): { readonly way: Way; readonly value: string } | undefined {
  const way = identifiers.find(({ name }) => given[name] !== undefined)?.name;
  const value = way === undefined ? undefined : given[way];
  return way === undefined || value === undefined ? undefined : { way, value };
}

// Finding ------------------------------------------------------------------------------------------------------------

export interface Contact {
  readonly id: string;
  readonly lists: readonly string[];
}

const answer = z.object({
  result: z.record(
    z.string(),
    z.object({ contact: z.object({ id: z.string(), list_ids: z.array(z.string()).default([]) }).optional() }),
  ),
});

const mostAtOnce = 100;

/** Those of them who are contacts. Who has just been sent is found only when SendGrid has dealt with the job. */
export async function contactsOf(
  client: Client,
  members: readonly Member[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Member, Contact>> {
  const contacts = new Map<Member, Contact>();
  const known = members.flatMap((member) => {
    const theirs = wayTo(member);
    return theirs === undefined ? [] : [{ member, ...theirs }];
  });
  for (const { name } of identifiers) {
    const byWay = known.filter(({ way }) => way === name);
    const values = [...new Set(byWay.map(({ value }) => value))];
    const found = new Map<string, Contact>();
    for (let from = 0; from < values.length; from += mostAtOnce) {
      await search(client, name, values.slice(from, from + mostAtOnce), found, signal);
    }
    for (const { member, value } of byWay) {
      const contact = found.get(value);
      if (contact !== undefined) {
        contacts.set(member, contact);
      }
    }
  }
  return contacts;
}

/** When it knows none of them, SendGrid answers with 404. One that can't be a value, and it looks for nobody. */
async function search(
  client: Client,
  way: Way,
  values: readonly string[],
  found: Map<string, Contact>,
  signal: AbortSignal,
): Promise<void> {
  const json = { identifiers: values };
  const path = `marketing/contacts/search/identifiers/${way}`;
  const reply = await client.ask({ method: 'POST', path, json, repeatable: true, signal });
  if ('error' in reply && reply.status === 404) {
    return;
  }
  if ('error' in reply && reply.status === 400) {
    throw new ActivateError(
      'ROW_REJECTED',
      `SendGrid can't look for this contact. It says: ${wordsOf(reply.complaints, json)}`,
    );
  }
  for (const [value, { contact }] of Object.entries(read(answer, reply).result)) {
    if (contact !== undefined) {
      found.set(value, { id: contact.id, lists: contact.list_ids });
    }
  }
}

// Facts --------------------------------------------------------------------------------------------------------------

/** Fields that every account has and a request may write, with their longest values. */
const reserved: Readonly<Record<string, { readonly label: string; readonly maxLength?: number }>> = {
  first_name: { label: 'First name', maxLength: 50 },
  last_name: { label: 'Last name', maxLength: 50 },
  address_line_1: { label: 'Address, first line', maxLength: 100 },
  address_line_2: { label: 'Address, second line', maxLength: 100 },
  city: { label: 'City', maxLength: 60 },
  state_province_region: { label: 'State, province or region', maxLength: 50 },
  postal_code: { label: 'Postal code' },
  country: { label: 'Country', maxLength: 50 },
};

const definitions = z.object({
  custom_fields: z.array(z.object({ id: z.string(), name: z.string(), field_type: z.string() })).default([]),
});

/** Fields of one's own are known by their ids, as `w1` or `e2_T`: by a name SendGrid does not take them. */
export async function traits(client: Client, signal?: AbortSignal): Promise<readonly FieldSpec[]> {
  const asked = { method: 'GET', path: 'marketing/field_definitions' } as const;
  const { custom_fields: own } = read(
    definitions,
    await client.ask(signal === undefined ? asked : { ...asked, signal }),
  );
  const common = { required: false, key: false };
  return [
    ...Object.entries(reserved).map(([name, rest]) => ({ ...common, ...rest, name, type: 'text' as const })),
    ...own.map(({ id, name, field_type: type }) => ({
      ...common,
      name: id,
      label: name,
      type: typeOf(type),
    })),
  ];
}

function typeOf(type: string): FieldSpec['type'] {
  switch (type) {
    case 'Number':
      return 'number';
    case 'Date':
      return 'date';
    default:
      return 'text';
  }
}

/**
 * A contact as SendGrid takes it. Fields that it does not know would have the whole request refused: INPUT_INVALID then,
 * because it is the sync that names them and no row.
 */
export function contactOf(
  { identifiers: given, traits: facts }: Member,
  known: readonly FieldSpec[],
): object {
  const top: Record<string, string> = { ...given };
  const own: Record<string, Value> = {};
  for (const [name, value] of Object.entries(facts)) {
    const type = known.find((one) => one.name === name)?.type;
    if (type === undefined) {
      throw new ActivateError(
        'INPUT_INVALID',
        'SendGrid does not know one of the fields of the sync any more.',
        {
          fix: 'Look at the fields of contacts in SendGrid, and map others in the sync.',
        },
      );
    }
    if (name in reserved) {
      top[name] = textOf(value);
    } else {
      own[name] = ownValueOf(value, type);
    }
  }
  return { ...top, ...(Object.keys(own).length === 0 ? {} : { custom_fields: own }) };
}

/** An empty text empties a field. */
function textOf(value: Value): string {
  return value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * A field of one's own is to get a value of its type: a text for a number, an empty one too, and the contact is not taken.
 * Days are 12/31/2026, put together from the text because a clock would move them by its zone.
 */
function ownValueOf(value: Value, type: FieldSpec['type']): Value {
  if (type === 'text' || value === null) {
    return type === 'text' ? textOf(value) : null;
  }
  if (type === 'number') {
    return Number(value);
  }
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(textOf(value)) ?? [];
  return year === undefined ? textOf(value) : `${month}/${day}/${year}`;
}
