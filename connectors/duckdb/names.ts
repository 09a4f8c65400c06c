import { quoted } from '../../engine/contracts/names.ts';

/** The same, without quotes where it needs none. */
export function plain(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoted(name);
}

/** A text as SQL takes it. No sign but the quote means anything in one. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Whether two names mean the same column: letters of ASCII in any case. */
export function isSame(one: string, other: string): boolean {
  const lower = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return lower(one) === lower(other);
}
