import type { Identifier } from '../contracts/destination.ts';
import { normaliser } from '../identity/normalise.ts';
import type { Formed } from '../identity/rules.ts';

const email: Identifier = { name: 'email', label: 'E-mail address', rule: 'email', hash: 'none' };
const rules = normaliser(1);

/** Longer ones no server takes: RFC 5321, 4.5.3.1. */
const longest = { user: 64, whole: 254 } as const;

/** An e-mail address in the form by which we know it again; undefined when there is nothing. */
export function addressIn(text: string | null): Formed | undefined {
  const formed = rules.identify(email, text, {});
  if (formed === undefined || 'unusable' in formed) {
    return formed;
  }
  const user = formed.value.slice(0, formed.value.lastIndexOf('@'));
  const bytes = (part: string): number => Buffer.byteLength(part);
  return bytes(user) > longest.user || bytes(formed.value) > longest.whole
    ? { unusable: 'This e-mail address is longer than any can be.' }
    : formed;
}
