import { createHash } from 'node:crypto';
import type { Identifier } from '../contracts/destination.ts';
import { ActivateError } from '../contracts/errors.ts';
import { type Formed, type Rules, rulesOfVersion1 } from './rules.ts';

/** Brings what people are recognised by into the form that a platform matches. */
export interface Normaliser {
  /**
   * The value in form and hashed, digests as small hex; or why it can't be used, as a sentence that does not repeat it.
   * Undefined when there is nothing. `country`, two capital letters, is for telephone numbers and places that name none.
   */
  identify(
    identifier: Identifier,
    text: string | null,
    options: { readonly country?: string },
  ): Formed | undefined;
}

const versions: ReadonlyMap<number, Rules> = new Map([[1, rulesOfVersion1]]);

/** The rules of one version: what was added by it is removed by it. CONFIG_INVALID when there is no such version. */
export function normaliser(version: number): Normaliser {
  const rules = versions.get(version);
  if (rules === undefined) {
    throw new ActivateError(
      'CONFIG_INVALID',
      `This version of Activate does not know version ${version} of the rules for identifiers.`,
      { fix: 'Run the version of Activate that made this sync, or a newer one.' },
    );
  }
  return {
    identify: (identifier, text, { country }) => {
      if (text === null || text.trim() === '') {
        return undefined;
      }
      if (looksHashed(identifier, text)) {
        return {
          unusable: 'This looks hashed already, by rules that nobody here knows: map the plain value.',
        };
      }
      const formed = rules[identifier.rule](text, country);
      return 'unusable' in formed ? formed : { value: hashed(identifier, formed.value) };
    },
  };
}

/** Ids that go out as they are may well be hex, and those of devices have a form of their own. */
function looksHashed({ rule, hash }: Identifier, text: string): boolean {
  const mayBeHex = rule === 'device' || (rule === 'as-is' && hash === 'none');
  return !mayBeHex && /^(?:[0-9a-f]{64}|[0-9a-f]{32})$/i.test(text.trim());
}

function hashed({ hash }: Identifier, value: string): string {
  switch (hash) {
    case 'none':
      return value;
    case 'sha256':
    case 'md5':
      return createHash(hash).update(value, 'utf8').digest('hex');
    default:
      return hash satisfies never;
  }
}
