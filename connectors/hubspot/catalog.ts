import { z } from 'zod';
import type { FieldSpec, FieldType, ObjectBatch } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptAsSeen, type Seen } from '../shared/kept.ts';
import { invalidMatch } from '../shared/login.ts';
import { optionsWith } from '../shared/named.ts';
import { nothingOn } from '../shared/thrown.ts';
import type { Client } from './client.ts';

const propertyShape = z.object({
  name: z.string(),
  label: z.string().catch(''),
  type: z.string().catch(''),
  fieldType: z.string().catch(''),
  options: z.array(z.object({ value: z.string() })).catch([]),
  externalOptions: z.boolean().catch(false),
  hasUniqueValue: z.boolean().catch(false),
  calculated: z.boolean().catch(false),
  hidden: z.boolean().catch(false),
  modificationMetadata: z.object({ readOnlyValue: z.boolean().catch(false) }).catch({ readOnlyValue: false }),
});
export type Property = z.output<typeof propertyShape>;

/** A kind of record with its properties, by name. */
export interface Kind {
  readonly object: string;
  readonly properties: ReadonlyMap<string, Property>;
  /** Those that a new record can't be without. */
  readonly required: readonly string[];
}

/** What HubSpot says about its kinds of records. NOT_FOUND when there is none, or it is hidden from this key. */
export interface Catalog extends Seen<Kind> {
  kinds(typed: string): Promise<Options>;
}

/** The id that HubSpot gives. It finds records, but is no property that is unique: nothing is made by it. */
export const recordId = 'hs_object_id';
const linkPrefix = 'associations.';

interface Standard {
  readonly label: string;
  /** Without these HubSpot makes none. */
  readonly required: readonly string[];
  /** Kinds that a record can be associated with. */
  readonly links: readonly string[];
}

const standard: ReadonlyMap<string, Standard> = new Map([
  ['contacts', { label: 'Contacts', required: [], links: ['companies'] }],
  ['companies', { label: 'Companies', required: [], links: ['contacts'] }],
  ['deals', { label: 'Deals', required: ['dealname', 'dealstage'], links: ['contacts', 'companies'] }],
  [
    'tickets',
    { label: 'Tickets', required: ['subject', 'hs_pipeline_stage'], links: ['contacts', 'companies'] },
  ],
]);
const others: Standard = { label: '', required: [], links: ['contacts', 'companies'] };

const schemaShape = z.object({
  name: z.string(),
  fullyQualifiedName: z.string(),
  labels: z.object({ plural: z.string().optional() }).catch({}),
  requiredProperties: z.array(z.string()).catch([]),
});

export function openCatalog(client: Client): Catalog {
  return {
    ...keptAsSeen((object, signal) => kindOf(client, object, signal)),
    kinds: (typed) => kindsOf(client, typed),
  };
}

async function kindOf(client: Client, object: string, signal: AbortSignal | undefined): Promise<Kind> {
  // Part of an address from here on.
  if (!/^[\w-]{1,100}$/.test(object)) {
    throw new ActivateError('NOT_FOUND', 'HubSpot has no such kind of record.');
  }
  const found = [...(await properties(client, object, signal)), ...(await sensitive(client, object, signal))];
  return {
    object,
    properties: new Map(found.map((one) => [one.name, one])),
    required: standard.get(object)?.required ?? (await requiredOf(client, object, signal)),
  };
}

async function kindsOf(client: Client, typed: string): Promise<Options> {
  const custom = await unlessHidden(
    client.ask(
      { method: 'GET', of: 'crm-object-schemas', path: 'schemas' },
      z.object({ results: z.array(schemaShape) }),
    ),
  );
  return optionsWith(typed, [
    ...[...standard].map(([value, { label }]) => ({ value, label })),
    ...(custom?.results ?? []).map(({ name, fullyQualifiedName: value, labels }) => ({
      value,
      label: (labels.plural ?? name).slice(0, 75),
    })),
  ]);
}

async function properties(
  client: Client,
  object: string,
  signal: AbortSignal | undefined,
  dataSensitivity?: string,
): Promise<readonly Property[]> {
  const request = {
    method: 'GET',
    of: 'crm/properties',
    path: object,
    query: { dataSensitivity },
    signal,
  } as const;
  return (await client.ask(request, z.object({ results: z.array(propertyShape) }))).results;
}

/** HubSpot lists these apart from the others, and only to keys that may see them. */
async function sensitive(
  client: Client,
  object: string,
  signal: AbortSignal | undefined,
): Promise<readonly Property[]> {
  return (await unlessHidden(properties(client, object, signal, 'sensitive'))) ?? [];
}

async function requiredOf(
  client: Client,
  object: string,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const request = { method: 'GET', of: 'crm-object-schemas', path: `schemas/${object}`, signal } as const;
  return (await unlessHidden(client.ask(request, schemaShape)))?.requiredProperties ?? [];
}

/** Custom objects and sensitive properties are for some plans and rights only: without them there are none. */
async function unlessHidden<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch(nothingOn('PERMISSION_DENIED', 'NOT_FOUND', 'INPUT_INVALID'));
}

// Fields -------------------------------------------------------------------------------------------------------------

/** What can be written, the id of the record to find it by, and what it can be associated with. */
export function specsOf(kind: Kind): readonly FieldSpec[] {
  const { links } = standard.get(kind.object) ?? others;
  const spec = { type: 'text', required: false, key: false } as const;
  return [
    { ...spec, name: recordId, label: 'Record ID', key: true },
    ...[...kind.properties.values()].filter(isWritable).map((property): FieldSpec => {
      const options = optionsOf(property);
      return {
        name: property.name,
        label: property.label === '' ? property.name : property.label,
        type: typeOf(property),
        required: kind.required.includes(property.name),
        key: isKey(kind, property),
        ...(options === undefined ? {} : { options }),
      };
    }),
    ...links.map((to) => ({ ...spec, name: `${linkPrefix}${to}`, label: `Associated ${to} (record ID)` })),
  ];
}

function isWritable({ name, calculated, hidden, modificationMetadata }: Property): boolean {
  return name !== recordId && !calculated && !hidden && !modificationMetadata.readOnlyValue;
}

function isKey({ object }: Kind, { name, hasUniqueValue }: Property): boolean {
  return hasUniqueValue || (object === 'contacts' && name === 'email');
}

function typeOf({ type, fieldType }: Property): FieldType {
  switch (type) {
    case 'number':
      return 'number';
    case 'bool':
      return 'boolean';
    case 'date':
      return 'date';
    case 'datetime':
      return 'time';
    case 'enumeration':
      // Several values at once are a list, or the text of one with semicolons.
      return fieldType === 'checkbox' ? 'any' : 'text';
    default:
      return 'text';
  }
}

/** Owners and the like are kept elsewhere: their options here say little. */
function optionsOf({ type, fieldType, externalOptions, options }: Property): readonly string[] | undefined {
  const closed = type === 'enumeration' && fieldType !== 'checkbox' && !externalOptions && options.length > 0;
  return closed ? options.map(({ value }) => value) : undefined;
}

/** The kind that a field associates with; undefined for a property. */
export function linkOf(field: string): string | undefined {
  return field.startsWith(linkPrefix) ? field.slice(linkPrefix.length) : undefined;
}

// Set-up -------------------------------------------------------------------------------------------------------------

/** What records of a batch are found by. */
export interface Key {
  readonly name: string;
  /** Undefined when it is the id of the record. */
  readonly idProperty: string | undefined;
  /** Addresses are the same whatever their capitals, and a contact can have several. */
  readonly isEmail: boolean;
}

/** CONFIG_INVALID, with what to do, when HubSpot can't find records like this. */
export function keyOf(kind: Kind, { match, operation }: Pick<ObjectBatch, 'match' | 'operation'>): Key {
  const [name, another] = match;
  if (name === undefined || another !== undefined) {
    throw invalidMatch('HubSpot finds a record by one property.', 'Choose one property to match by.');
  }
  if (name === recordId) {
    if (operation === 'insert') {
      throw invalidMatch('HubSpot gives record ids by itself.', 'Match new records by another property.');
    }
    return { name, idProperty: undefined, isEmail: false };
  }
  const property = kind.properties.get(name);
  if (property === undefined || !isKey(kind, property)) {
    throw invalidMatch(
      `HubSpot can't find ${kind.object} by ${name}: its values need not be unique.`,
      `Match by another property, or make one for ${kind.object} that requires unique values.`,
    );
  }
  return { name, idProperty: name, isEmail: kind.object === 'contacts' && name === 'email' };
}

/** What may go otherwise than thought, in sentences. Throws CONFIG_INVALID for what can't be. */
export function obstaclesOf(kind: Kind, plan: Omit<ObjectBatch, 'items'>): readonly string[] {
  const { name } = keyOf(kind, plan);
  const { operation, fields } = plan;
  const names = fields.map((use) => use.name);
  return [
    ...(operation === 'upsert' && name === recordId
      ? ['HubSpot gives record ids by itself: rows without a record are refused.']
      : []),
    ...(operation !== 'delete' && names.includes('lifecyclestage')
      ? [
          'HubSpot moves the lifecycle stage forward only: it silently keeps the stage when yours is an earlier one.',
        ]
      : []),
    ...(operation !== 'delete' && names.some((field) => linkOf(field) !== undefined)
      ? ['Associations are only ever added: those of before stay.']
      : []),
  ];
}
