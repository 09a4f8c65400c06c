import type { ObjectBatch } from '../../engine/contracts/destination.ts';
import { invalidMatch } from '../shared/login.ts';
import {
  byCode,
  dimensionsOf,
  type ImportKind,
  isKeyOf,
  type Kind,
  type LineItem,
  type ListKind,
  type ModuleKind,
} from './catalog.ts';

type Plan = Omit<ObjectBatch, 'items'>;

/** What may go otherwise than thought, in sentences. Throws CONFIG_INVALID for what can't be. */
export function obstaclesOf(kind: Kind, plan: Plan): readonly string[] {
  switch (kind.type) {
    case 'list':
      return listObstacles(kind, plan);
    case 'module':
      return moduleObstacles(kind, plan);
    case 'import':
      return importObstacles(kind, plan);
    default:
      return kind satisfies never;
  }
}

export type ListKey = 'code' | 'name' | 'id';

/** The field that items of a list are found by. */
export function listKeyOf(kind: ListKind, { match, operation }: Pick<Plan, 'match' | 'operation'>): ListKey {
  const [name = '', another] = match;
  if (another !== undefined || !isKeyOf(kind, name)) {
    throw invalidMatch(
      `Anaplan finds an item of this list by its code${kind.numbered ? '' : ', its name'} or its id.`,
      'Match by one of these.',
    );
  }
  if (name === 'id' && (operation === 'insert' || operation === 'upsert')) {
    throw invalidMatch('Anaplan gives ids by itself.', 'Match by code.');
  }
  return name as ListKey;
}

function listObstacles(kind: ListKind, plan: Plan): readonly string[] {
  const key = listKeyOf(kind, plan);
  const names = plan.fields.map(({ name }) => name);
  const others = ['code', 'name'].filter((name) => name !== key && names.includes(name));
  const isUpdate = plan.operation === 'update' || plan.operation === 'upsert';
  return [
    ...(isUpdate && others.length > 0
      ? [`Anaplan takes ${others.join(' and ')} when an item is made, and does not change it afterwards.`]
      : []),
    ...(plan.operation === 'delete'
      ? ['Deleting an item deletes its data in all modules of the model.']
      : []),
  ];
}

/** How the item of each dimension is given: the field, and whether it holds a code. */
export type Coordinates = ReadonlyMap<string, { readonly field: string; readonly isCode: boolean }>;

/** CONFIG_INVALID when a dimension of what is written is left open, or given twice. */
export function coordinatesOf(lineItems: readonly LineItem[], { match }: Pick<Plan, 'match'>): Coordinates {
  const found = new Map<string, { field: string; isCode: boolean }>();
  const dimensions = dimensionsOf(lineItems);
  for (const dimension of dimensions) {
    const [field, another] = match.filter((name) => name === dimension || name === `${dimension}${byCode}`);
    if (field === undefined || another !== undefined) {
      throw invalidMatch(
        `A cell has one item of ${dimension}.`,
        `Match by ${dimension}, or by ${dimension}${byCode}: one of the two.`,
      );
    }
    found.set(dimension, { field, isCode: field !== dimension });
  }
  const strange = match.find((name) => ![...found.values()].some(({ field }) => field === name));
  if (strange !== undefined) {
    throw invalidMatch(
      `${strange} is no dimension of what is written.`,
      `Match by the dimensions: ${dimensions.join(', ')}.`,
    );
  }
  return found;
}

/** The line items that are written. */
export function writtenOf({ lineItems }: ModuleKind, { fields, match }: Pick<Plan, 'fields' | 'match'>) {
  const names = fields.map(({ name }) => name).filter((name) => !match.includes(name));
  return lineItems.filter(({ name }) => names.includes(name));
}

function moduleObstacles(kind: ModuleKind, plan: Plan): readonly string[] {
  if (plan.operation === 'insert' || plan.operation === 'delete') {
    throw invalidMatch(
      'The cells of a module are always there: they can be written, not added or removed.',
      'Choose the mode upsert.',
    );
  }
  coordinatesOf(writtenOf(kind, plan), plan);
  return [];
}

function importObstacles({ columns, encoding }: ImportKind, plan: Plan): readonly string[] {
  if (plan.operation !== 'upsert') {
    throw invalidMatch(
      'What an import does with rows is set in Anaplan.',
      'Choose the mode upsert. To delete, update or only add, choose the list itself.',
    );
  }
  if (!/^utf-?8$/i.test(encoding)) {
    throw invalidMatch(
      'This import reads a file that is not UTF-8.',
      'Upload a file in UTF-8 to its source in Anaplan once, and save the import.',
    );
  }
  const names = plan.fields.map(({ name }) => name);
  const left = columns.filter((name) => !names.includes(name));
  if (left.length > 0) {
    throw invalidMatch(
      `The import reads columns that nobody maps: ${left.join(', ')}.`,
      'Map all of them, to an empty text if need be.',
    );
  }
  return plan.fields.some(({ sparse }) => sparse)
    ? ['A file has every column in every row: what a row leaves out is sent empty.']
    : [];
}
