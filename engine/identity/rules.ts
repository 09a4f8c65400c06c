import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js';
import type { IdentityRule } from '../contracts/destination.ts';
import { usStateOf } from './us-states.ts';

/** A value in form, or why it can't be brought into it: a sentence that does not repeat it. */
export type Formed = { readonly value: string } | { readonly unusable: string };

/** `text` holds more than white space; `country` is two capital letters, where the sync names one. */
export type Rule = (text: string, country: string | undefined) => Formed;
export type Rules = Readonly<Record<IdentityRule, Rule>>;

/**
 * Version 1 of the rules. Frozen: platforms take any hash and match a wrong one with nobody, and who was added by one
 * rule can't be removed by another. A rule that has to differ belongs to a new version.
 */
export const rulesOfVersion1: Rules = {
  'as-is': (text) => ({ value: text }),
  email: (text) => addressOf(text.trim()),
  'email-google': gmailAddress,
  'email-spaceless': (text) => addressOf(text.replaceAll(/\s/g, '')),
  'phone-digits': phoneDigits,
  'phone-e164': phoneNumber,
  name: (text) => found(bareName(text), noLetters),
  initial: (text) => found([...bareName(text)][0], noLetters),
  'given-name-google': givenName,
  'family-name-google': familyName,
  city: (text) => latin(text, /[^a-z]/g),
  state: stateOf,
  zip: zipOf,
  'postal-code': (text) => ({ value: text.trim() }),
  country: (text) => matching(small(text), /^[a-z]{2}$/, notACountry),
  'region-code': regionCode,
  gender: (text) => found(genders.get(small(text)), 'This is neither male nor female.'),
  year: (text) => matching(datePart(text, 0), /^(?:19|20)\d\d$/, 'This is not a year with four digits.'),
  month: (text) => matching(datePart(text, 1), /^(?:0[1-9]|1[0-2])$/, 'This is not a month from 1 to 12.'),
  day: (text) => matching(datePart(text, 2), /^(?:0[1-9]|[12]\d|3[01])$/, 'This is not a day from 1 to 31.'),
  device: deviceOf,
};

const noLetters = 'This name has no letters.';
const notACountry = 'This is not the two letters of a country.';

/** Lower-casing can take a text out of NFC: two ways to write the same letter have different hashes. */
function small(text: string): string {
  return text.normalize('NFC').toLowerCase().normalize('NFC').trim();
}

function found(value: string | undefined, unusable: string): Formed {
  return value === undefined || value === '' ? { unusable } : { value };
}

function matching(value: string, pattern: RegExp, unusable: string): Formed {
  return pattern.test(value) ? { value } : { unusable };
}

// E-mail addresses -----------------------------------------------------------------------------------------------

const address = /^[^\s@<>()[\]\\,;:"\p{C}]+@[^\s@<>()[\]\\,;:"\p{C}.]+(?:\.[^\s@<>()[\]\\,;:"\p{C}.]+)+$/u;

function addressOf(text: string): Formed {
  return matching(small(text), address, 'This is not an e-mail address.');
}

/** Where Google delivers mail itself, dots and what follows a plus sign lead to the same person. */
function gmailAddress(text: string): Formed {
  const formed = addressOf(text.trim());
  const [, user, domain] =
    ('value' in formed && /^(.+)@(gmail\.com|googlemail\.com)$/.exec(formed.value)) || [];
  if (user === undefined || domain === undefined) {
    return formed;
  }
  const plain = user.replace(/\+.*$/, '').replaceAll('.', '');
  return plain === '' ? { unusable: 'This is not an e-mail address.' } : { value: `${plain}@${domain}` };
}

// Telephone numbers ----------------------------------------------------------------------------------------------

/**
 * With a country, a number without a plus sign is one of that country. Without, it has to begin with the code of its
 * country: a zero or a bracket says that it does not. Possible is enough: numbers made up for films match people, too.
 */
function phoneNumber(text: string, country: string | undefined): Formed {
  const given = text.trim();
  if (country === undefined && !/^\+|^[1-9]/.test(given)) {
    return {
      unusable: 'This telephone number does not say its country: write it with +, or choose a country.',
    };
  }
  const whole = country === undefined && !given.startsWith('+') ? `+${given}` : given;
  const number = parsePhoneNumberFromString(whole, {
    extract: false,
    ...(country !== undefined && isSupportedCountry(country) ? { defaultCountry: country } : {}),
  });
  return number?.isPossible() === true && /[1-9]/.test(number.nationalNumber)
    ? { value: number.number }
    : { unusable: 'This is not a telephone number that can exist.' };
}

function phoneDigits(text: string, country: string | undefined): Formed {
  const formed = phoneNumber(text, country);
  return 'value' in formed ? { value: formed.value.slice(1) } : formed;
}

// Names ----------------------------------------------------------------------------------------------------------

/** Without white space, punctuation, symbols and signs that can't be seen; accents and other scripts stay. */
function bareName(text: string): string {
  return small(small(text).replaceAll(/[\s\p{P}\p{S}\p{C}]/gu, ''));
}

/** Only what Google's own formatter takes away: one title that ends in a dot. */
function givenName(text: string): Formed {
  return found(small(small(text).replace(/^(?:mr|mrs|ms|dr)\.(?:\s|$)/, '')), 'This name is a title alone.');
}

const suffix = /(?:,\s*|\s+)(?:jr\.?|sr\.?|2nd|3rd|ii|iii|iv|v|vi|cpa|dc|dds|vm|jd|md|phd)\s?$/;

function familyName(text: string): Formed {
  let name = small(text);
  while (suffix.test(name)) {
    name = name.replace(suffix, '').trim();
  }
  return found(name, 'This name is a suffix alone.');
}

// Places ---------------------------------------------------------------------------------------------------------

/** Letters that no accent can be taken off. */
const spelled: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
};

/** In letters without accents, less what `strange` matches. What has letters of another script can't be written so. */
function latin(text: string, strange: RegExp): Formed {
  const folded = small(text)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z]/g, (sign) => spelled[sign] ?? sign);
  const bare = folded.replaceAll(strange, '');
  return bare === '' || /(?![a-z])\p{L}/u.test(folded)
    ? { unusable: 'This place has to be written in letters from a to z.' }
    : { value: bare };
}

function stateOf(text: string, country: string | undefined): Formed {
  const formed = latin(text, /[^a-z0-9]/g);
  if ('unusable' in formed || (country !== undefined && country !== 'US')) {
    return formed;
  }
  const code = usStateOf(formed.value);
  return code === undefined && country === 'US'
    ? { unusable: 'This is not a state of the USA.' }
    : { value: code ?? formed.value };
}

/** Not from capital letters made of the text: those of `ß` would be South Sudan. */
function regionCode(text: string): Formed {
  const formed = matching(small(text), /^[a-z]{2}$/, notACountry);
  return 'value' in formed ? { value: formed.value.toUpperCase() } : formed;
}

/** Nine digits are a code of the USA with its extension, unless the country is known to be another. */
function zipOf(text: string, country: string | undefined): Formed {
  const bare = small(text).replaceAll(/[^a-z0-9]/g, '');
  if (country === 'US' || (country === undefined && /^\d{9}$/.test(bare))) {
    return found(/^(\d{5})(?:\d{4})?$/.exec(bare)?.[1], 'This is not a ZIP code of the USA.');
  }
  return found(bare, 'This postal code has no letters or digits.');
}

// Other facts ----------------------------------------------------------------------------------------------------

const genders: ReadonlyMap<string, string> = new Map([
  ['m', 'm'],
  ['male', 'm'],
  ['man', 'm'],
  ['f', 'f'],
  ['female', 'f'],
  ['woman', 'f'],
]);

/** A part of a date that may be given whole: year, month or day, with two digits at least. */
function datePart(text: string, part: 0 | 1 | 2): string {
  const whole = /^(\d{4})-(\d\d)-(\d\d)(?:$|[T ])/.exec(text.trim());
  return (whole?.[part + 1] ?? text.trim()).padStart(2, '0');
}

/** Nothing but zeros is what a device says whose owner does not want to be known by it. */
function deviceOf(text: string): Formed {
  const id = small(text);
  return /^[0-]+$/.test(id)
    ? { unusable: 'The owner of this device has turned advertising off.' }
    : matching(id, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'This is not the id of a device.');
}
