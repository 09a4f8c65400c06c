import type { FieldSpec, Identifier, Member } from '../../engine/contracts/destination.ts';
import type { Kind, Login } from './config.ts';

/** By contact, or by one of the two below: a list has one kind for good. */
export const identifiers = [
  { name: 'email', label: 'E-mail address', rule: 'email-google', hash: 'sha256' },
  { name: 'phone', label: 'Telephone number', rule: 'phone-e164', hash: 'sha256' },
  { name: 'givenName', label: 'First name', rule: 'given-name-google', hash: 'sha256' },
  { name: 'familyName', label: 'Last name', rule: 'family-name-google', hash: 'sha256' },
  { name: 'regionCode', label: 'Country', rule: 'region-code', hash: 'none' },
  { name: 'postalCode', label: 'Postal code', rule: 'postal-code', hash: 'none' },
  { name: 'userId', label: 'User id of your own', rule: 'as-is', hash: 'none' },
  { name: 'mobileId', label: 'Advertising id', rule: 'device', hash: 'none' },
] as const satisfies readonly Identifier[];

const consents = { ad_user_data: 'adUserData', ad_personalization: 'adPersonalization' } as const;

const trait = (name: keyof typeof consents, label: string): FieldSpec => ({
  name,
  label,
  type: 'boolean',
  required: false,
  key: false,
});

export const traits: readonly FieldSpec[] = [
  trait('ad_user_data', 'Agrees that Google gets their data for ads'),
  trait('ad_personalization', 'Agrees to personalised ads'),
];

/** A person as Google has it, or why they can't be one, as a sentence. */
export type Person = { readonly person: object } | { readonly unfit: string };

/**
 * By all that a list of this kind knows. A postal address only stands beside what else a person is known by: its parts are
 * removed one by one, and Google finds nobody by a part.
 */
export function personOf({ identifiers: known }: Member, kind: Kind): Person {
  switch (kind) {
    case 'user':
      return known['userId'] === undefined
        ? { unfit: 'This list knows people by your own user ids, and the row has none.' }
        : { person: { userIdData: { userId: known['userId'] } } };
    case 'mobile':
      return known['mobileId'] === undefined
        ? { unfit: 'This list knows people by advertising ids, and the row has none.' }
        : { person: { mobileData: { mobileIds: [known['mobileId']] } } };
    case 'contact': {
      const { email, phone, givenName, familyName, regionCode, postalCode } = known;
      const userIdentifiers = [
        ...(email === undefined ? [] : [{ emailAddress: email }]),
        ...(phone === undefined ? [] : [{ phoneNumber: phone }]),
      ];
      const address = { givenName, familyName, regionCode, postalCode };
      const whole = Object.values(address).every((part) => part !== undefined);
      return userIdentifiers.length === 0
        ? { unfit: 'Google needs an e-mail address or a telephone number of this person.' }
        : {
            person: { userData: { userIdentifiers: [...userIdentifiers, ...(whole ? [{ address }] : [])] } },
          };
    }
    default:
      return kind satisfies never;
  }
}

/** `denied`: nobody may be added who says so. `unsaid`: the row has to say it, and does not. */
export type Consent =
  | { readonly state: 'given'; readonly said: object }
  | { readonly state: 'denied' }
  | { readonly state: 'unsaid' };

/** What a row says itself counts before what the connection says of all. */
export function consentOf({ traits: said }: Member, { consent }: Login): Consent {
  const given: Record<string, string> = {};
  let unsaid = false;
  for (const [name, theirs] of Object.entries(consents)) {
    const own = said[name] ?? undefined;
    if (own === false) {
      return { state: 'denied' };
    }
    if (own === true || consent === 'granted') {
      given[theirs] = 'CONSENT_GRANTED';
    }
    unsaid ||= own !== true && consent === 'mapped';
  }
  if (unsaid) {
    return { state: 'unsaid' };
  }
  return { state: 'given', said: Object.keys(given).length === 0 ? {} : { consent: given } };
}
