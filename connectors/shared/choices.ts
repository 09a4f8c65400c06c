import type { Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';

/** Several at once: a list, or names with commas between them. */
export function namesIn(value: Value): readonly string[] {
  const names = Array.isArray(value) ? value.map(String) : String(value ?? '').split(',');
  return names.map((name) => name.trim()).filter((name) => name !== '');
}

/**
 * The option of a field that a row means by this name: the very same, or one that differs by case and by spaces around
 * it. `namesOf`: an option may have several. ROW_REJECTED when there is none; `label` is what people call the field.
 */
export function chosen<T>(
  label: string,
  options: readonly T[],
  name: string,
  namesOf: (option: T) => readonly string[],
): T {
  const plain = (text: string): string => text.trim().toLowerCase();
  const found =
    options.find((option) => namesOf(option).includes(name)) ??
    options.find((option) => namesOf(option).map(plain).includes(plain(name)));
  if (found === undefined) {
    throw new ActivateError('ROW_REJECTED', `${label} has no option of the name that the row gives.`);
  }
  return found;
}
