import type { DescribeSObjectResult, Field } from 'jsforce';
import type { FieldSpec, FieldType, ObjectBatch } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptAsSeen, type Seen } from '../shared/kept.ts';
import type { Session } from './session.ts';

/** What Salesforce says about its kinds of records. NOT_FOUND when there is none, or it is hidden from this user. */
export interface Catalog extends Seen<DescribeSObjectResult> {
  kinds(typed: string): Promise<Options>;
}

export function openCatalog(session: Session): Catalog {
  return {
    ...keptAsSeen(async (object, signal) => {
      if (!/^\w{1,80}$/.test(object)) {
        throw new ActivateError('NOT_FOUND', 'Salesforce has no such kind of record.');
      }
      return session.api(signal === undefined ? {} : { signal }).describe(object);
    }),
    kinds: async (typed) => {
      const { sobjects } = await session.api().describeGlobal();
      const wanted = typed.trim().toLowerCase();
      return sobjects
        .filter((one) => one.queryable && (one.createable || one.updateable) && !one.deprecatedAndHidden)
        .map((one) => ({ one, rank: rankOf([one.label, one.name], wanted) }))
        .filter(({ rank }) => rank < 3)
        .sort((a, b) => a.rank - b.rank || a.one.label.localeCompare(b.one.label, 'en'))
        .slice(0, 100)
        .map(({ one: { name, label } }) => ({
          value: name,
          label: (label === name ? name : `${label} (${name})`).slice(0, 75),
        }));
    },
  };
}

/** 0 for the very name, 1 for how it begins, 2 for a part of it, 3 for nothing of it. */
function rankOf(names: readonly string[], wanted: string): number {
  const small = names.map((name) => name.toLowerCase());
  if (small.includes(wanted)) {
    return 0;
  }
  if (small.some((name) => name.startsWith(wanted))) {
    return 1;
  }
  return small.some((name) => name.includes(wanted)) ? 2 : 3;
}

/** The fields that can be written, and the Id, by which records can be found. */
export function specsOf({ fields }: DescribeSObjectResult): readonly FieldSpec[] {
  return fields
    .filter((field) => field.createable || field.updateable || field.type === 'id')
    .map((field) => {
      const options = optionsOf(field);
      return {
        name: field.name,
        label: field.label,
        type: typeOf(field),
        required: isRequired(field),
        key: isKey(field),
        ...(isText(field) && field.length > 0 ? { maxLength: field.length } : {}),
        ...(options === undefined ? {} : { options }),
      };
    });
}

function typeOf({ type }: Field): FieldType {
  switch (type) {
    case 'int':
    case 'long':
      return 'integer';
    case 'double':
    case 'currency':
    case 'percent':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'date':
      return 'date';
    case 'datetime':
      return 'time';
    case 'multipicklist':
      // A list, which is written with semicolons between its values, or the text of one.
      return 'any';
    default:
      return 'text';
  }
}

function isText({ type }: Field): boolean {
  return /^(string|textarea|email|phone|url|combobox|encryptedstring)$/.test(type);
}

/** Only a restricted picklist refuses what it does not list. */
function optionsOf({ type, restrictedPicklist, picklistValues }: Field): readonly string[] | undefined {
  if (type !== 'picklist' || !restrictedPicklist || !Array.isArray(picklistValues)) {
    return undefined;
  }
  return (picklistValues as readonly { readonly active: boolean; readonly value: string }[])
    .filter(({ active }) => active)
    .map(({ value }) => value);
}

function isRequired({ nillable, defaultedOnCreate, createable }: Field): boolean {
  return createable && !nillable && !defaultedOnCreate;
}

/** Upserts go by these alone. */
function isKey({ externalId, idLookup, type }: Field): boolean {
  return externalId || idLookup || type === 'id';
}

/** The field of a kind; CONFIG_INVALID when there is none. */
export function fieldOf({ fields, name: object }: DescribeSObjectResult, name: string): Field {
  const field = fields.find((one) => one.name === name);
  if (field === undefined) {
    throw new ActivateError('CONFIG_INVALID', `${object} has no field ${name} (any more).`, {
      fix: 'Take it out of the mapping, or ask whether the user of the connection may see it.',
    });
  }
  return field;
}

/** What stands against writing like this, in sentences; first what makes it impossible. */
export function obstaclesOf(
  kind: DescribeSObjectResult,
  plan: Omit<ObjectBatch, 'items'>,
): readonly string[] {
  const { operation, match, fields } = plan;
  const [only] = match;
  if (only === undefined || match.length > 1) {
    return ['Salesforce finds a record by one field: choose one.'];
  }
  const missing = [...new Set([only, ...fields.map(({ name }) => name)])].filter(
    (name) => !kind.fields.some((field) => field.name === name),
  );
  if (missing.length > 0) {
    return [`${kind.name} has no field ${missing.join(', ')} (any more), or hides it from this user.`];
  }
  return [
    ...rightsOf(kind, plan),
    ...matchOf(fieldOf(kind, only), plan),
    ...(operation === 'delete' ? [] : writableOf(kind, plan, only)),
  ];
}

function rightsOf(kind: DescribeSObjectResult, { operation }: Omit<ObjectBatch, 'items'>): readonly string[] {
  const makes = operation === 'insert' || operation === 'upsert';
  const changes = operation === 'update' || operation === 'upsert';
  return [
    ...(makes && !kind.createable
      ? [`The user of the connection may not make records of ${kind.name}.`]
      : []),
    ...(changes && !kind.updateable
      ? [`The user of the connection may not change records of ${kind.name}.`]
      : []),
    ...(operation === 'delete' && !kind.deletable
      ? [`The user of the connection may not delete records of ${kind.name}.`]
      : []),
  ];
}

function matchOf(field: Field, { object, operation }: Omit<ObjectBatch, 'items'>): readonly string[] {
  const makes = operation === 'insert' || operation === 'upsert';
  if (field.type === 'id') {
    return makes ? ['Salesforce gives Ids by itself: by Id, records can only be updated or deleted.'] : [];
  }
  if (operation === 'upsert' && !isKey(field)) {
    return [
      `Salesforce upserts by an External ID only: mark ${field.name} as one in the setup of ${object}.`,
    ];
  }
  if (!field.filterable) {
    return [`Salesforce can't search by ${field.name}.`];
  }
  return field.unique
    ? []
    : [
        `${field.name} is not unique in Salesforce: where several records have the same value, the row is refused. Mark the field as unique.`,
      ];
}

function writableOf(
  { name: object, fields: all }: DescribeSObjectResult,
  { operation, fields }: Omit<ObjectBatch, 'items'>,
  match: string,
): readonly string[] {
  const makes = operation === 'insert' || operation === 'upsert';
  const written = fields.map(({ name }) => name).filter((name) => name !== match);
  const named = (test: (field: Field) => boolean): string =>
    all
      .filter(test)
      .map(({ name }) => name)
      .join(', ');
  const fixed = named((one) => written.includes(one.name) && !one.updateable && operation !== 'insert');
  const late = named((one) => written.includes(one.name) && !one.createable && makes);
  const lacking = named(
    (one) => makes && isRequired(one) && one.name !== match && !written.includes(one.name),
  );
  return [
    ...(fixed === '' ? [] : [`These fields of ${object} can't be changed: ${fixed}.`]),
    ...(late === '' ? [] : [`These fields of ${object} can't be set when a record is made: ${late}.`]),
    ...(lacking === '' ? [] : [`New records of ${object} need these fields too: ${lacking}.`]),
  ];
}
