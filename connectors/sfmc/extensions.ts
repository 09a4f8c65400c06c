import { z } from 'zod';
import type { FieldSpec } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { nearestTo, optionOf } from '../shared/named.ts';
import { hasCode } from '../shared/thrown.ts';
import type { Client } from './client.ts';
import { invalid } from './config.ts';

// Lists --------------------------------------------------------------------------------------------------------------

const extension = z.object({ id: z.string(), name: z.string() });

const page = z.object({ count: z.number().default(0), items: z.array(extension).default([]) });

const pageSize = 100;

/** Marketing Cloud looks for nothing without a term; an underscore finds what there is. */
function search(client: Client, term: string, at: number): Promise<z.output<typeof page>> {
  const query = { $search: term === '' ? '_' : term, $page: at, $pageSize: pageSize };
  return client.ask({ method: 'GET', path: 'customobjects', query }, page);
}

/** Characters that a data extension can't have in its name become spaces. */
function named(text: string): string {
  return text
    .replaceAll(/[!@#$%^*()={}[\]\\.<>/":?|,&]+/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

export async function lists(client: Client, typed: string): Promise<Options> {
  const name = named(typed);
  return (await search(client, name, 1)).items.toSorted(nearestTo(name)).map(optionOf);
}

async function idNamed(client: Client, name: string): Promise<string | undefined> {
  let seen = 0;
  for (let at = 1; ; at += 1) {
    const { count, items } = await search(client, name, at);
    const found = items.find((one) => one.name.toLowerCase() === name.toLowerCase());
    seen += items.length;
    if (found !== undefined || items.length === 0 || seen >= count) {
      return found?.id;
    }
  }
}

/** Columns of a list that we make: whom a row is about, the address, and whether they are on the list. */
const keyColumn = 'SubscriberKey';
const longest = 254;

/** Makes one that mails can be sent to. Its key can't be changed later, and rows can't be written without one. */
export async function create(client: Client, text: string): Promise<string> {
  const name = named(text);
  const there = await idNamed(client, name);
  if (there !== undefined) {
    return there;
  }
  const { folder, memberColumn } = client.login;
  if (folder === undefined) {
    throw invalid(
      'folder',
      'Nothing says in which folder a data extension is to be made.',
      'Connect again with the folder of new lists, or make the data extension in Marketing Cloud and choose it.',
    );
  }
  const columns = [
    { name: keyColumn, type: 'Text', length: longest, isPrimaryKey: true, isNullable: false },
    { name: 'EmailAddress', type: 'EmailAddress', length: longest, isPrimaryKey: false, isNullable: true },
    ...(memberColumn === undefined
      ? []
      : [{ name: memberColumn, type: 'Boolean', isPrimaryKey: false, isNullable: true }]),
  ];
  const json = {
    name,
    description: 'Kept in step by Activate.',
    categoryId: folder,
    isSendable: true,
    sendableCustomObjectField: keyColumn,
    sendableSubscriberField: 'Subscriber Key',
    fields: columns.map((column, ordinal) => ({ ...column, ordinal, ...usual })),
  };
  return (await client.ask({ method: 'POST', path: 'customobjects', json }, z.object({ id: z.string() }))).id;
}

/** Marketing Cloud wants each of these said of each column. */
const usual = {
  isTemplateField: false,
  isHidden: false,
  isReadOnly: false,
  isInheritable: false,
  isOverridable: false,
  mustOverride: false,
};

// Columns ------------------------------------------------------------------------------------------------------------

const column = z.object({
  name: z.string(),
  type: z.string(),
  length: z.number().nullish(),
  isPrimaryKey: z.boolean().default(false),
  isNullable: z.boolean().default(true),
});
export type Column = z.output<typeof column>;

/** A data extension that people can be kept in. */
export interface Table {
  readonly key: Column;
  /** Where the address goes; the key itself may be it. */
  readonly email: Column | undefined;
  /** Undefined where the rows of those who leave are deleted. */
  readonly member: Column | undefined;
  readonly others: readonly Column[];
}

/** TARGET_GONE when it is not there, and INPUT_INVALID when its columns can't say who is on the list. */
export async function tableOf(client: Client, list: string, signal?: AbortSignal): Promise<Table> {
  const path = `customobjects/${encodeURIComponent(list)}/fields`;
  const asked = { method: 'GET', path, ...(signal === undefined ? {} : { signal }) } as const;
  const { fields } = await client.ask(asked, z.object({ fields: z.array(column) })).catch(gone);
  const keys = fields.filter(({ isPrimaryKey }) => isPrimaryKey);
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    throw unfit(
      `This data extension has ${keys.length === 0 ? 'no primary key' : 'several primary keys'}.`,
      'Choose one whose only primary key is the subscriber key or the e-mail address, or make it anew.',
    );
  }
  const member = memberIn(fields, key, client.login.memberColumn);
  const email = isAddress(key) ? key : fields.find((one) => one.type === 'EmailAddress');
  const others = fields.filter((one) => one !== key && one !== email && one !== member);
  return { key, email, member, others };
}

/** Who leaves is marked by the key and this column alone: all others have to do without a value. */
function memberIn(fields: readonly Column[], key: Column, name: string | undefined): Column | undefined {
  if (name === undefined) {
    return undefined;
  }
  const member = fields.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (member?.type !== 'Boolean') {
    throw unfit(
      `This data extension has no Boolean column ${name}, by which those who left could be told.`,
      'Add the column in Marketing Cloud, connect again with the name of the one that it has, or let rows be deleted.',
    );
  }
  const needed = fields.find((one) => one !== key && one !== member && !one.isNullable);
  if (needed !== undefined) {
    throw unfit(
      `The column ${needed.name} of this data extension has to be filled, so that nobody could be marked as having left by the key alone.`,
      'Make the column nullable in Marketing Cloud, or connect again and let rows be deleted.',
    );
  }
  return member;
}

const isAddress = ({ name, type }: Column): boolean => type === 'EmailAddress' || /e-?mail/i.test(name);

function gone(error: unknown): never {
  if (hasCode(error, 'NOT_FOUND', 'INPUT_INVALID')) {
    throw new ActivateError('TARGET_GONE', 'This data extension is not there in the business unit.', {
      fix: 'Choose another for the sync; one that is shared has to be looked for in the business unit that owns it.',
      cause: error,
    });
  }
  throw error;
}

function unfit(message: string, fix: string): ActivateError {
  return new ActivateError('INPUT_INVALID', message, { fix });
}

export function traitsOf({ others }: Table): readonly FieldSpec[] {
  return others.map(({ name, type, length }) => ({
    name,
    label: name,
    type: typeOf(type),
    required: false,
    key: false,
    ...(typeOf(type) === 'text' && typeof length === 'number' && length > 0 ? { maxLength: length } : {}),
  }));
}

/** Days and times share a type: each goes as it is, because to make a time of a day could move it by a day. */
function typeOf(type: string): FieldSpec['type'] {
  switch (type) {
    case 'Number':
      return 'integer';
    case 'Decimal':
      return 'number';
    case 'Boolean':
      return 'boolean';
    case 'Date':
      return 'any';
    default:
      return 'text';
  }
}
