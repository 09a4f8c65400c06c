import { ActivateError } from '../contracts/errors.ts';
import { nearest } from '../template/nearest.ts';

/** Something wrong with one field of the settings, in a sentence that belongs at it. */
export function problem(field: string, message: string, fix?: string): ActivateError {
  const sentence = fix === undefined ? message : `${message} ${fix}`;
  return new ActivateError('INPUT_INVALID', message, {
    fields: { [field]: sentence },
    ...(fix === undefined ? {} : { fix }),
  });
}

/** Throws a problem at `field` unless `name` is one of the names there are. */
export function mustBeAmong(field: string, name: string, names: readonly string[], what: string): void {
  if (names.includes(name)) {
    return;
  }
  const guess = nearest(name, names);
  const some = names.slice(0, 20).join(', ');
  throw problem(
    field,
    `There is no ${what} "${name}".`,
    guess === undefined ? `There is: ${some}${names.length > 20 ? ', …' : ''}.` : `Did you mean ${guess}?`,
  );
}
