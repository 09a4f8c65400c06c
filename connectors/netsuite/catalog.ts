import { z } from 'zod';
import type { FieldSpec, FieldType, ObjectBatch, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptAsSeen, type Seen } from '../shared/kept.ts';
import { invalidMatch } from '../shared/login.ts';
import { type Client, read } from './client.ts';
import { failureOf } from './errors.ts';

const propertyShape = z.object({
  title: z.string().catch(''),
  type: z.string().catch(''),
  format: z.string().catch(''),
  readOnly: z.boolean().catch(false),
  maxLength: z.number().optional().catch(undefined),
  enum: z.array(z.string()).catch([]),
  $ref: z.string().catch(''),
  properties: z
    .record(z.string(), z.object({ enum: z.array(z.string()).catch([]) }).catch({ enum: [] }))
    .catch({}),
});
type Property = z.output<typeof propertyShape>;

/** A kind of record with its fields, by name. */
export interface Kind {
  readonly object: string;
  readonly properties: ReadonlyMap<string, Property>;
  readonly required: readonly string[];
}

/**
 * What NetSuite says about its kinds of records, those of the account among them. NOT_FOUND when there is none, or it is
 * hidden from this role.
 */
export interface Catalog extends Seen<Kind> {
  kinds(typed: string): Promise<Options>;
}

const catalogPath = '/record/v1/metadata-catalog';
/** What NetSuite gives a record, and what we give it. */
export const internalId = 'id';
export const externalId = 'externalId';

export function openCatalog(client: Client): Catalog {
  return {
    ...keptAsSeen((object, signal) => kindOf(client, object, signal)),
    kinds: async (typed) => {
      const wanted = typed.trim().toLowerCase();
      const { items } = await client.ask({ method: 'GET', path: catalogPath }, listShape);
      return items
        .filter(({ name }) => name.toLowerCase().includes(wanted))
        .slice(0, 100)
        .map(({ name }) => ({ value: name, label: name.slice(0, 75) }));
    },
  };
}

const listShape = z.object({ items: z.array(z.object({ name: z.string() })) });
const kindShape = z.object({
  properties: z.record(z.string(), propertyShape),
  required: z.array(z.string()).catch([]),
});

async function kindOf(client: Client, object: string, signal: AbortSignal | undefined): Promise<Kind> {
  const none = new ActivateError(
    'NOT_FOUND',
    'NetSuite has no such kind of record, or the role may not see it.',
    {
      fix: 'Choose another one, or give the role the permission.',
    },
  );
  // Part of an address, and of queries, from here on.
  if (!/^[A-Za-z]\w{0,99}$/.test(object)) {
    throw none;
  }
  const answer = await client.send({
    method: 'GET',
    path: `${catalogPath}/${object}`,
    headers: { accept: 'application/schema+json' },
    signal,
  });
  if (answer.status === 400 || answer.status === 404) {
    throw none;
  }
  if (!answer.ok) {
    throw failureOf(answer, undefined);
  }
  const { properties, required } = read(kindShape, answer.json());
  return { object, properties: new Map(Object.entries(properties)), required };
}

// Fields -------------------------------------------------------------------------------------------------------------

/** What can be written. NetSuite says of few fields that they are required: forms and scripts of the account decide. */
export function specsOf({ properties, required }: Kind): readonly FieldSpec[] {
  return [...properties]
    .filter(([name, property]) => name === internalId || isWritable(name, property))
    .map(([name, property]): FieldSpec => {
      const options = [...property.enum, ...(property.properties['id']?.enum ?? [])];
      return {
        name,
        label: property.title === '' ? name : property.title,
        type: typeOf(property),
        required: required.includes(name),
        key: name === internalId || name === externalId,
        ...(property.maxLength === undefined ? {} : { maxLength: property.maxLength }),
        ...(options.length === 0 ? {} : { options }),
      };
    });
}

function isWritable(name: string, { readOnly, type }: Property): boolean {
  return !readOnly && type !== 'array' && !/^(?:links|refName|dateCreated|lastModifiedDate)$/.test(name);
}

function typeOf(property: Property): FieldType {
  switch (property.type) {
    case 'string':
      return property.format === 'date' ? 'date' : property.format === 'date-time' ? 'time' : 'text';
    case 'integer':
    case 'number':
    case 'boolean':
      return property.type;
    default:
      // A reference takes an id, several of them or the lines of a sublist.
      return 'any';
  }
}

/** A value as NetSuite takes it for this field. */
export function valueFor({ properties }: Kind, name: string, value: Value): Value {
  const property = properties.get(name);
  if (value === null || property === undefined) {
    return value;
  }
  if (property.type === 'object' || property.$ref !== '') {
    if (Array.isArray(value)) {
      return { items: (value as readonly Value[]).map(referenceTo) };
    }
    return 'items' in property.properties ? { items: [referenceTo(value)] } : referenceTo(value);
  }
  // It keeps no more than milliseconds.
  return property.format === 'date-time' && typeof value === 'string'
    ? value.replace(/(\.\d{3})\d+/, '$1')
    : value;
}

function referenceTo(value: Value): Value {
  return typeof value === 'object' ? value : { id: String(value) };
}

// Set-up -------------------------------------------------------------------------------------------------------------

/** The field that records of a batch are found by. CONFIG_INVALID, with what to do, when they can't be. */
export function keyOf(
  kind: Kind,
  { match, operation }: Pick<ObjectBatch, 'match' | 'operation'>,
): typeof internalId | typeof externalId {
  const [name, another] = match;
  if (another !== undefined || (name !== internalId && name !== externalId)) {
    throw invalidMatch(
      'NetSuite finds a record by its external ID or its internal ID.',
      `Match by ${externalId}, or by ${internalId}.`,
    );
  }
  if (name === internalId && (operation === 'insert' || operation === 'upsert')) {
    throw invalidMatch('NetSuite gives internal IDs by itself.', `Match by ${externalId}.`);
  }
  if (name === externalId && !kind.properties.has(externalId)) {
    throw invalidMatch(
      `Records of ${kind.object} have no external ID.`,
      `Update or delete them by ${internalId}, or choose another kind of record.`,
    );
  }
  return name;
}

/** What may go otherwise than thought, in sentences. Throws CONFIG_INVALID for what can't be. */
export function obstaclesOf(kind: Kind, plan: Omit<ObjectBatch, 'items'>): readonly string[] {
  keyOf(kind, plan);
  const names = plan.fields.map(({ name }) => name);
  return plan.operation === 'insert' || plan.operation === 'upsert'
    ? kind.required
        .filter((name) => !names.includes(name) && name !== internalId)
        .map((name) => `NetSuite makes no record of ${kind.object} without ${name}.`)
    : [];
}
