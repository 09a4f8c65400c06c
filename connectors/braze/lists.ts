import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import type { Attribute } from './client.ts';
import { type Catalog, isActive, isReserved, typeOf } from './profile.ts';

/**
 * Attributes that are true or false, and what was typed: an attribute comes into being with the first user who has it, and
 * until then Braze knows nothing of it.
 */
export async function lists(catalog: Catalog, typed: string): Promise<Options> {
  const name = typed.trim();
  const all = await catalog.fresh();
  const offered = all
    .filter(
      (one) => isList(one) && one.name.toLowerCase().includes(name.toLowerCase()) && one.name.length <= 75,
    )
    .map((one) => ({ value: one.name, label: one.name }))
    .sort((a, b) => a.label.length - b.label.length);
  const isNew =
    name !== '' && !isReserved(name) && name.length <= 75 && !all.some((one) => one.name === name);
  return [...offered, ...(isNew ? [{ value: name, label: name }] : [])].slice(0, 100);
}

const isList = (one: Attribute): boolean =>
  isActive(one) && typeOf(one) === 'boolean' && !isReserved(one.name);

/** The name is all there is to a list that nobody is on. */
export async function create(catalog: Catalog, name: string): Promise<string> {
  const list = name.trim();
  mustBeList(list);
  const there = (await catalog.fresh()).find((one) => one.name === list);
  if (there !== undefined && !isList(there)) {
    throw new ActivateError(
      'EXISTS',
      'Braze has an attribute of this name that is no list: it holds something else, or is not active.',
      { fix: 'Choose another name.' },
    );
  }
  return list;
}

export function mustBeList(list: string): void {
  if (list === '' || list.length > 75 || isReserved(list)) {
    throw new ActivateError('INPUT_INVALID', 'No list of Braze can have this name.', {
      fix: 'Choose one of at most 75 characters that is no field of every user.',
    });
  }
}
