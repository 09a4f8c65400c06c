import { ActivateError } from '../../engine/contracts/errors.ts';

/** A field that can't be right; the message never repeats what is in it. */
export function invalid(name: string, message: string, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { [name]: message } });
}
