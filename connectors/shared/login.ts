import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Fields } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';

/** How a connector refuses one of its fields: CONFIG_INVALID, said at that field. Neither sentence repeats what is secret. */
export function invalidIn<F extends Fields>(
  _config: F,
): (name: keyof F & string, message: string, fix: string) => ActivateError {
  return invalidAt;
}

/** The same, where the fields are not at hand. */
export function invalidAt(name: string, message: string, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { [name]: message } });
}

/** How a connector refuses what a sync matches by: CONFIG_INVALID, said with its fix at that question. */
export function invalidMatch(message: string, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { match: `${message} ${fix}` } });
}

/** The field `baseUrl`, or the vendor's own address, without slashes at its end. Throws CONFIG_INVALID at that field. */
export function webAddress(text: string): string;
/** Undefined when there is none in the field. */
export function webAddress(text: string | undefined): string | undefined;
export function webAddress(text: string | undefined): string | undefined {
  if (text === undefined) {
    return undefined;
  }
  if (!/^https?:$/.test(parsedUrl(text)?.protocol ?? '')) {
    throw invalidAt('baseUrl', 'This is not an address of the web.', 'Enter one that begins with https://.');
  }
  return text.replace(/\/+$/, '');
}

/**
 * The field `prefix`, a folder in a store, without slashes around it; empty for none. Throws CONFIG_INVALID at that field
 * when a part of it can be none.
 */
export function folderIn(
  text = '',
  canBeNone = (part: string): boolean => part === '.' || part === '..',
): string {
  const folder = text.replaceAll(/^\/+|\/+$/g, '');
  if (folder.split('/').some(canBeNone)) {
    throw invalidAt('prefix', 'A folder can not be "." or "..".', 'Write it as exports/activate.');
  }
  return folder;
}
