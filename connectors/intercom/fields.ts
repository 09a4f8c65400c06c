import { z } from 'zod';
import type { FieldSpec, FieldType, ObjectBatch, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptAsSeen, type Seen } from '../shared/kept.ts';
import { invalidMatch } from '../shared/login.ts';
import { optionsWith } from '../shared/named.ts';
import type { Client } from './client.ts';

/** A kind of record, with the fields that can be written. */
export interface Kind {
  readonly object: ObjectName;
  readonly specs: readonly FieldSpec[];
}

export type ObjectName = 'contacts' | 'companies';

const labels: Readonly<Record<ObjectName, string>> = { contacts: 'Contacts', companies: 'Companies' };
const models: Readonly<Record<ObjectName, string>> = { contacts: 'contact', companies: 'company' };

/** What a contact can be attached to, by the id that Intercom gives to companies. */
export const companyField = 'company';
const consentField = 'unsubscribed_from_emails';
/** Attributes that the workspace has made. */
const customPrefix = 'custom_attributes.';

const standard: Readonly<Record<ObjectName, readonly (readonly [string, string, FieldType, boolean?])[]>> = {
  contacts: [
    ['id', 'Intercom id', 'text', true],
    ['external_id', 'User id', 'text', true],
    ['email', 'Email', 'text', true],
    ['phone', 'Phone', 'text'],
    ['name', 'Name', 'text'],
    ['avatar', 'Avatar (address)', 'text'],
    ['signed_up_at', 'Signed up', 'time'],
    ['last_seen_at', 'Last seen', 'time'],
    ['owner_id', 'Owner (id)', 'text'],
    [consentField, 'Unsubscribed from email', 'boolean'],
    [companyField, 'Company (Intercom id)', 'text'],
  ],
  companies: [
    ['id', 'Intercom id', 'text', true],
    ['company_id', 'Company id', 'text', true],
    ['name', 'Name', 'text'],
    ['plan', 'Plan', 'text'],
    ['size', 'Size', 'integer'],
    ['website', 'Website', 'text'],
    ['industry', 'Industry', 'text'],
    ['remote_created_at', 'Created', 'time'],
    ['monthly_spend', 'Monthly spend', 'integer'],
  ],
};

export function objectsNamed(typed: string): Options {
  return optionsWith(
    typed,
    Object.entries(labels).map(([value, label]) => ({ value, label })),
  );
}

const attributes = z.object({
  data: z.array(
    z.object({
      name: z.string(),
      full_name: z.string().nullish(),
      label: z.string().nullish(),
      data_type: z.string().catch(''),
      options: z.array(z.unknown()).nullish(),
      api_writable: z.boolean().catch(true),
      custom: z.boolean().catch(false),
      archived: z.boolean().catch(false),
    }),
  ),
});
type Attribute = z.output<typeof attributes>['data'][number];

/** NOT_FOUND for what is neither contacts nor companies. */
export type Catalog = Seen<Kind>;

export function openCatalog(client: Client): Catalog {
  return keptAsSeen(async (object, signal) => {
    if (object !== 'contacts' && object !== 'companies') {
      throw new ActivateError('NOT_FOUND', 'Intercom has no such kind of record that can be written.', {
        fix: 'Choose contacts or companies.',
      });
    }
    const query = { model: models[object] };
    const { data } = await client.ask({ method: 'GET', path: 'data_attributes', query, signal }, attributes);
    const own = data.filter((one) => one.custom && one.api_writable && !one.archived).map(specOf);
    return {
      object,
      specs: [
        ...standard[object].map(([name, label, type, key = false]) => ({
          name,
          label,
          type,
          key,
          required: false,
        })),
        ...own,
      ],
    };
  });
}

/** Longer texts are cut by Intercom without a word. */
const longestText = 255;

function specOf({ name, full_name: full, label, data_type: type, options }: Attribute): FieldSpec {
  const choices = (options ?? []).filter((one): one is string => typeof one === 'string');
  const isChoice = type === 'string' && choices.length > 0;
  return {
    name: full?.startsWith(customPrefix) === true ? full : `${customPrefix}${name}`,
    label: label ?? name,
    type: typeOf(type),
    required: false,
    key: false,
    ...(type === 'string' && !isChoice ? { maxLength: longestText } : {}),
    ...(isChoice ? { options: choices } : {}),
  };
}

function typeOf(type: string): FieldType {
  switch (type) {
    case 'integer':
      return 'integer';
    case 'float':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'date':
      return 'time';
    default:
      return 'text';
  }
}

// Values -------------------------------------------------------------------------------------------------------------

export type Body = Readonly<Record<string, Value>>;

/** What is sent of a row: attributes of the workspace's own apart, times in seconds since 1970. Null empties a field. */
export function bodyOf({ specs }: Kind, values: Body, without: readonly string[]): Body {
  const left = Object.entries(values)
    .filter(([name]) => !without.includes(name) && name !== 'id' && name !== companyField)
    // Consent is for people to give: they are only ever unsubscribed.
    .filter(([name, value]) => name !== consentField || value === true)
    .map(([name, value]) => [name, isTime(specs, name) ? secondsOf(value) : value] as const);
  const own = left.flatMap(([name, value]) =>
    name.startsWith(customPrefix) ? [[name.slice(customPrefix.length), value] as const] : [],
  );
  return {
    ...Object.fromEntries(left.filter(([name]) => !name.startsWith(customPrefix))),
    ...(own.length === 0 ? {} : { custom_attributes: Object.fromEntries(own) }),
  };
}

function isTime(specs: readonly FieldSpec[], name: string): boolean {
  return specs.some((spec) => spec.name === name && spec.type === 'time');
}

function secondsOf(value: Value): Value {
  return typeof value === 'string' ? Math.floor(Date.parse(value) / 1000) : value;
}

/** Fields of a batch that are left alone where the record has something in them. */
export function keptIn(
  { fields }: ObjectBatch,
  record: Readonly<Record<string, unknown>>,
): readonly string[] {
  const own = record['custom_attributes'] as Readonly<Record<string, unknown>> | null | undefined;
  return fields
    .filter((use) => use.onlyIfEmpty)
    .map((use) => use.name)
    .filter((name) => {
      const value = name.startsWith(customPrefix) ? own?.[name.slice(customPrefix.length)] : record[name];
      return value !== undefined && value !== null && value !== '';
    });
}

// Set-up -------------------------------------------------------------------------------------------------------------

const keys: Readonly<Record<ObjectName, readonly string[]>> = {
  contacts: ['external_id', 'email', 'id'],
  companies: ['company_id', 'id'],
};

/** The field that finds records. CONFIG_INVALID, with what to do, when Intercom can't find them like this. */
export function matchOf(
  { object }: Kind,
  { match, operation }: Pick<ObjectBatch, 'match' | 'operation'>,
): string {
  const [name, another] = match;
  if (name === undefined || another !== undefined || !keys[object].includes(name)) {
    throw invalidMatch(
      `Intercom finds ${object} by one of these alone: ${keys[object].join(', ')}.`,
      'Choose one of them to match by.',
    );
  }
  if (name === 'id' && operation === 'insert') {
    throw invalidMatch('Intercom gives ids by itself.', 'Match new records by an id of your own.');
  }
  return name;
}

/** What may go otherwise than thought, in sentences. Throws CONFIG_INVALID for what can't be. */
export function obstaclesOf(kind: Kind, plan: Omit<ObjectBatch, 'items'>): readonly string[] {
  const match = matchOf(kind, plan);
  const { operation, fields } = plan;
  const writes = operation !== 'delete';
  const names = fields.map(({ name }) => name);
  return [
    ...(match === 'email'
      ? [
          'Intercom finds new contacts by their address some minutes late, and several can have the same: then the row is refused. Match by external_id where you can.',
        ]
      : []),
    ...(match === 'id' && operation === 'upsert'
      ? ['Intercom gives ids by itself: rows without a record are refused.']
      : []),
    ...(writes && kind.object === 'companies'
      ? ['Intercom shows a company only once a contact is attached to it.']
      : []),
    ...(writes && names.includes(consentField)
      ? ['People are only ever unsubscribed: a no is left out, because consent is for them to give.']
      : []),
    ...(writes && names.includes(companyField)
      ? ['Contacts are only ever attached to companies, never detached.']
      : []),
  ];
}
