import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Identifier, IdentityRule } from '../../../engine/contracts/destination.ts';
import type { ActivateError } from '../../../engine/contracts/errors.ts';
import { normaliser } from '../../../engine/identity/normalise.ts';

const { identify } = normaliser(1);

function identifierOf(rule: IdentityRule, hash: Identifier['hash'] = 'sha256'): Identifier {
  return { name: rule, label: rule, rule, hash };
}

function formed(rule: IdentityRule, text: string, country?: string): string | undefined {
  const found = identify(identifierOf(rule, 'none'), text, country === undefined ? {} : { country });
  return found !== undefined && 'value' in found ? found.value : undefined;
}

const emptyDigests = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'd41d8cd98f00b204e9800998ecf8427e',
];

/** Rule, text, in form, SHA-256; the country where the sync names one. The digest is the platform's own where one is published. */
const hashedVectors: readonly (readonly [IdentityRule, string, string, string, string?])[] = [
  [
    'email',
    'mary@example.com',
    'mary@example.com',
    'f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79',
  ],
  [
    'email',
    'test@contoso.com',
    'test@contoso.com',
    'f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101',
  ],
  [
    'email',
    'user.name+NYC@Example.com',
    'user.name+nyc@example.com',
    'f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac',
  ],
  [
    'email',
    'Jane.Doe@gmail.com',
    'jane.doe@gmail.com',
    '831f6494ad6be4fcb3a724c3d5fef22d3ceffa3c62ef3a7984e45a0ea177f982',
  ],
  [
    'email-spaceless',
    'JaneDoe@gmail.com',
    'janedoe@gmail.com',
    'd6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69',
  ],
  [
    'email-spaceless',
    'Jane.Doe@gmail.com',
    'jane.doe@gmail.com',
    '831f6494ad6be4fcb3a724c3d5fef22d3ceffa3c62ef3a7984e45a0ea177f982',
  ],
  [
    'email-spaceless',
    ' User.Name+NYC@Example.com',
    'user.name+nyc@example.com',
    'f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac',
  ],
  [
    'email-google',
    'alexz@example.com',
    'alexz@example.com',
    '509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a',
  ],
  [
    'email-google',
    '  ALEXZ@example.com   ',
    'alexz@example.com',
    '509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a',
  ],
  [
    'email-google',
    'user.name+NYC@Example.com',
    'user.name+nyc@example.com',
    'f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac',
  ],
  [
    'email-google',
    'Cloudy.SanFrancisco+shopping@gmail.com',
    'cloudysanfrancisco@gmail.com',
    '223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4',
  ],
  [
    'email-google',
    'j.e.f..ferson.Loves.hiking@gmail.com',
    'jeffersonloveshiking@gmail.com',
    '515d2f967f73864e76937ab2b897210a86fd286016903b1b08c3da07c75f513e',
  ],
  [
    'email-google',
    'jefferson.Loves.hiking@googlemail.com',
    'jeffersonloveshiking@googlemail.com',
    '2824967181c781aced84c32bf8bb51fc6401202eeff88263776f63c99df9314c',
  ],
  [
    'phone-digits',
    '+1 (555) 987-6543',
    '15559876543',
    '1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e',
  ],
  [
    'phone-digits',
    '+44 (0)113 496 0987',
    '441134960987',
    '0d0bdab1b69302da54eab62fafae55faadba503c4a51b870a57a34959d645be9',
  ],
  [
    'phone-digits',
    '0049 30 901820',
    '4930901820',
    'c03f76216358b07b09a300613908002987efc1ae9a2ef2a85d57d5a971bf821a',
    'DE',
  ],
  [
    'phone-digits',
    '374-93-828222',
    '37493828222',
    '65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4',
  ],
  [
    'phone-e164',
    '1-800-555-0100',
    '+18005550100',
    'fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30',
  ],
  [
    'phone-e164',
    '+44-113-496-0987',
    '+441134960987',
    '0fac52d27ec377f8ad2f9de75d1f9bace693237e31868ae6f4616b8bbd0e94fb',
  ],
  [
    'phone-e164',
    '+44 (0)113 496 0987',
    '+441134960987',
    '0fac52d27ec377f8ad2f9de75d1f9bace693237e31868ae6f4616b8bbd0e94fb',
  ],
  [
    'phone-e164',
    '(657) 777-0000',
    '+16577770000',
    'a6e82c2f4091baff57a4f33d01efb65bfbeacbbfbcfaa9d0ff9f57d28d78fedb',
    'US',
  ],
  [
    'phone-e164',
    '374-93-828222',
    '+37493828222',
    '241371e614f8650dfae0f111361c69de1bb4829a72b71bb8044daae8b2e7791d',
  ],
  ['name', ' Mary ', 'mary', '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'],
  ['name', "O'Brien", 'obrien', 'b4cb6cb33fe4b865868de825023a1e2790dc12ac01ecc8d7c5afe8254071c8ba'],
  ['name', 'José', 'josé', 'd994e1d001886fe5b45b1267bd1fa2b752ac50742579bd3dad7b2a2aa0ed6866'],
  ['initial', 'Mary', 'm', '62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a'],
  [
    'city',
    'San Francisco',
    'sanfrancisco',
    '1a6bd4d9d79dc0a79b53795c70d3349fa9e38968a3fbefbfe8783efb1d2b6aac',
  ],
  ['city', 'São Paulo', 'saopaulo', '8f7f2f7ccd3f2898cf4850905346e8fb333d00aac1c974f8f37326e068cf7b1e'],
  ['state', 'New York', 'ny', '1b06e2003f8420d6fa42badd8f77ec0f706b976b7a48b13c567dc5a559681683'],
  ['zip', '94035-1234', '94035', '1794327a4d443904421f5ca1f3d72d0a62ba2f0770d80755ec2220fc0efb052e', 'US'],
  ['zip', '940351234', '94035', '1794327a4d443904421f5ca1f3d72d0a62ba2f0770d80755ec2220fc0efb052e', 'US'],
  ['zip', 'SW1A 1AA', 'sw1a1aa', '830e1d4b9838bab1f5c2acdb23e0b502ff13a9832c4632e8d67a1d43d3b7f614', 'GB'],
  ['country', ' us ', 'us', '79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621'],
  ['gender', 'male', 'm', '62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a'],
  ['month', '12', '12', '6b51d431df5d7f141cbececcf79edf3dd861c3b4069f0b11661a3eefacbba918'],
  ['day', '1', '01', '938db8c9f82c8cb58d3f3ef4fd250036a48d26a712753d2fde5abd03a85cabf4'],
  ['day', '31', '31', 'eb1e33e8a81b697b75855af6bfcdbcbf7cbbde9f94962ceaec1ed8af21f5a50f'],
  ['day', '07', '07', '19b100ab7725c612f3d80ff203ca53cea5cadaafae3bf0f88f0fb4089fe08815'],
  ['year', '1990', '1990', 'a7be8e1fe282a37cd666e0632b17d933fa13f21addf4798fc0455bc166e2488c'],
  [
    'given-name-google',
    ' Mrs. Alex   ',
    'alex',
    '4135aa9dc1b842a653dea846903ddb95bfb8c5a10c504a7fa16e10bc31d1fdf0',
  ],
  ['given-name-google', 'Mary', 'mary', '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'],
  [
    'family-name-google',
    'quinn, jr., dds',
    'quinn',
    'c512ca0c5c1e71be19f3356821e56732b5fb3ac894b0dbc5846d0b6920106fb3',
  ],
  [
    'family-name-google',
    'Quinn-Alex',
    'quinn-alex',
    '91581930b788bf2fd4ea63d8783c8c3b4c7ac8575461e033d18ee7def6cd49a9',
  ],
  [
    'device',
    '5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25',
    '5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25',
    '83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd',
  ],
  [
    'device',
    ' 5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25',
    '5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25',
    '83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd',
  ],
  [
    'device',
    ' AECE52E7-03EE-455A-B3C4-E57283966239',
    'aece52e7-03ee-455a-b3c4-e57283966239',
    'e6a11334660bb4c2d68090399aaf9d80b433a569b993c5e32e6cad9bcf550e11',
  ],
  [
    'device',
    'aece52e7-03ee-455a-b3c4-e57283966239',
    'aece52e7-03ee-455a-b3c4-e57283966239',
    'e6a11334660bb4c2d68090399aaf9d80b433a569b993c5e32e6cad9bcf550e11',
  ],
];

/** What goes out as it stands, or only decides how something does. */
const plainVectors: readonly (readonly [IdentityRule, string, string, string?])[] = [
  ['region-code', ' us ', 'US'],
  ['postal-code', '  1229-076  ', '1229-076'],
  ['postal-code', '94045', '94045'],
  ['device', 'AECE52E7-03EE-455A-B3C4-E57283966239', 'aece52e7-03ee-455a-b3c4-e57283966239'],
  ['email', ' Mary@Example.COM ', 'mary@example.com'],
  ['as-is', ' CRM id-7 ', ' CRM id-7 '],
  ['as-is', 'd41d8cd98f00b204e9800998ecf8427e', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['phone-digits', '+39 06 698 12345', '390669812345'],
  ['phone-digits', '06 698 12345', '390669812345', 'IT'],
  ['phone-digits', '113 496 0987', '441134960987', 'GB'],
  ['phone-digits', '657.777.0000', '16577770000', 'US'],
  ['phone-e164', '+1 555 987 6543', '+15559876543', 'DE'],
  ['phone-e164', '+1 555 987 6543 x5', '+15559876543'],
  ['name', 'Mary Ann', 'maryann'],
  ['name', 'O’Brien-Smith, Jr.', 'obriensmithjr'],
  ['name', 'Владимир', 'владимир'],
  ['initial', 'Écio', 'é'],
  ['city', 'Saint-Étienne', 'saintetienne'],
  ['city', 'Łódź', 'lodz'],
  ['city', 'Gießen', 'giessen'],
  ['city', 'İzmir', 'izmir'],
  ['state', 'District of Columbia', 'dc', 'US'],
  ['state', 'ca', 'ca', 'US'],
  ['state', 'Georgia', 'georgia', 'BG'],
  ['state', 'Nordrhein-Westfalen', 'nordrheinwestfalen', 'DE'],
  ['zip', '94035-1234', '94035'],
  ['zip', '940351234', '940351234', 'FR'],
  ['zip', '01310-100', '01310100', 'BR'],
  ['gender', 'Woman', 'f'],
  ['year', '1990-07-01', '1990'],
  ['month', '1990-07-01', '07'],
  ['day', '1990-07-01T00:00:00Z', '01'],
  ['family-name-google', 'Quinn III', 'quinn'],
  ['family-name-google', "O'Brien", "o'brien"],
];

const refusals: readonly (readonly [IdentityRule, string, string?])[] = [
  ['email', 'quinn'],
  ['email', '@example.com'],
  ['email', 'a b@example.com'],
  ['email', 'a@example'],
  ['email', 'a@x.com,b@x.com'],
  ['email', 'Mary <mary@example.com>'],
  ['email', 'mary@example.com\u200b'],
  ['email-google', 'a b@example.com'],
  ['email-google', '+news@gmail.com'],
  ['email-google', '...@gmail.com'],
  ['email-spaceless', '@ example.com'],
  ['phone-digits', '+0000000000'],
  ['phone-digits', '0000000000', 'US'],
  ['phone-digits', '0016577770000', 'US'],
  ['phone-e164', '0016577770000', 'US'],
  ['phone-e164', '030 901820'],
  ['phone-e164', '(657) 777-0000'],
  ['phone-e164', '441134960987', 'US'],
  ['phone-e164', 'call +1 555 987 6543 now'],
  ['phone-e164', '030 901820', 'XX'],
  ['phone-e164', 'unknown', 'US'],
  ['name', '...'],
  ['name', '\u200b'],
  ['initial', '-'],
  ['given-name-google', 'Mrs. '],
  ['family-name-google', ', jr'],
  ['city', 'Москва'],
  ['city', 'Москва City'],
  ['city', '12345'],
  ['state', '東京都', 'JP'],
  ['state', 'Ontario', 'US'],
  ['zip', '2139', 'US'],
  ['zip', '---', 'FR'],
  ['country', 'usa'],
  ['region-code', 'usa'],
  ['region-code', 'u'],
  ['region-code', 'u2'],
  ['region-code', 'ß'],
  ['gender', 'unknown'],
  ['year', '90'],
  ['month', '13'],
  ['month', 'July'],
  ['day', '0'],
  ['day', '32'],
  ['device', '00000000-0000-0000-0000-000000000000'],
  ['device', 'aece52e703ee455ab3c4e57283966239'],
  ['device', 'unknown'],
];

const digests = {
  'SHA-256': 'F1904CF1A9D73A55FA5DE0AC823C4403DED71AFD4C3248D00BDCD0866552BB79',
  MD5: '6741db1009547a17b381e3e754a1471d',
} as const;

const allRules = [...new Set([...hashedVectors, ...plainVectors].map(([rule]) => rule))];

describe('version 1 of the rules for identifiers', () => {
  it.each(
    hashedVectors.map(([rule, text, inForm, digest, country]) => ({ rule, text, inForm, digest, country })),
  )('$rule makes $text into $inForm, and hashes that', ({ rule, text, inForm, digest, country }) => {
    expect(formed(rule, text, country)).toBe(inForm);
    expect(identify(identifierOf(rule), text, country === undefined ? {} : { country })).toEqual({
      value: digest,
    });
  });

  it.each(plainVectors.map(([rule, text, inForm, country]) => ({ rule, text, inForm, country })))(
    '$rule makes $text into $inForm',
    ({ rule, text, inForm, country }) => {
      expect(formed(rule, text, country)).toBe(inForm);
    },
  );

  it.each(refusals.map(([rule, text, country]) => ({ rule, text, country })))(
    '$rule does not take $text',
    ({ rule, text, country }) => {
      const found = identify(identifierOf(rule), text, country === undefined ? {} : { country });

      expect(found).toEqual({ unusable: expect.stringMatching(/^The .+\.$|^This .+\.$/) });
      // Two or three letters are part of many a word.
      expect(text.length > 3 && JSON.stringify(found).includes(text)).toBe(false);
    },
  );

  it('hashes by MD5 where a platform asks for it', () => {
    expect(identify(identifierOf('email', 'md5'), 'user.name+NYC@Example.com', {})).toEqual({
      value: '6741db1009547a17b381e3e754a1471d',
    });
    expect(identify(identifierOf('email', 'md5'), 'Urist.McVankab@freddiesjabberjab.com', {})).toEqual({
      value: 'f50c27ddd7003ce145e57c99210bc89f',
    });
  });

  it('has the same hash for a letter whether its accent is part of it or put on it', () => {
    const composed = identify(identifierOf('name'), 'Jos\u00e9', {});
    const decomposed = identify(identifierOf('name'), 'Jose\u0301', {});

    expect(decomposed).toEqual(composed);
    expect(composed).toEqual({ value: 'd994e1d001886fe5b45b1267bd1fa2b752ac50742579bd3dad7b2a2aa0ed6866' });
  });

  it.each(allRules.flatMap((rule) => [null, '', '   ', '\t\n'].map((text) => [rule, text] as const)))(
    '%s finds nothing in %j, and hashes nothing',
    (rule, text) => {
      expect(identify(identifierOf(rule), text, {})).toBeUndefined();
      expect(identify(identifierOf(rule, 'none'), text, {})).toBeUndefined();
    },
  );

  it.each(
    allRules.flatMap((rule) =>
      Object.entries(digests).map(([name, digest]) => [rule, name, digest] as const),
    ),
  )('%s does not take what is a digest of %s already', (rule, _name, digest) => {
    expect(identify(identifierOf(rule), digest, {})).toEqual({ unusable: expect.any(String) });
    expect(identify(identifierOf(rule), ` ${digest} `, {})).toEqual({ unusable: expect.any(String) });
  });

  it('takes digits of a digest as part of a longer text: only a whole one is refused', () => {
    expect(identify(identifierOf('email', 'none'), `${digests.MD5}@example.com`, {})).toEqual({
      value: `${digests.MD5}@example.com`,
    });
  });
});

describe('versions', () => {
  it.each([0, 2, 1.5, Number.NaN])('refuses %s, which there is none of', (version) => {
    expect(() => normaliser(version)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', fix: expect.any(String) }) as ActivateError,
    );
  });
});

/** Texts like those that people type, half of them ones that the rule can take. */
function typedFor(rule: IdentityRule): fc.Arbitrary<string> {
  const known = [...hashedVectors, ...plainVectors].flatMap(([of, text]) => (of === rule ? [text] : []));
  const signs = "abzABZéÉß .-'’,+()@0123456789١жЖ東\u0301\u200b\u00a0";
  return fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
    { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...signs), maxLength: 25 }) },
  );
}
const countries = fc.constantFrom(undefined, 'US', 'DE', 'GB', 'IT');

describe.each(allRules)('%s, of whatever text,', (rule) => {
  const typed = typedFor(rule);

  it('is never the hash of nothing, and never empty', () => {
    fc.assert(
      fc.property(typed, countries, (text, country) => {
        const found = identify(identifierOf(rule), text, country === undefined ? {} : { country });
        if (found !== undefined && 'value' in found) {
          expect(found.value).toMatch(/^[0-9a-f]{64}$/);
          expect(emptyDigests).not.toContain(found.value);
        }
        expect(formed(rule, text, country)).not.toBe('');
      }),
    );
  });

  it('hashes what it shows', () => {
    fc.assert(
      fc.property(typed, (text) => {
        const plain = formed(rule, text);
        fc.pre(plain !== undefined);
        const digest = createHash('sha256').update(String(plain)).digest('hex');
        const found = identify(identifierOf(rule), text, {});
        // Ids that go out as they are may look like digests; with a hash on top of them they may not.
        expect(found).toEqual(
          rule === 'as-is' && /^[0-9a-f]{32}$/.test(text)
            ? { unusable: expect.any(String) }
            : { value: digest },
        );
      }),
    );
  });

  // Digits without a plus sign and a country to read them in are read as a number of that country.
  it('is in form once it is in form', () => {
    fc.assert(
      fc.property(typed, countries, (text, country) => {
        const read = rule === 'phone-digits' ? undefined : country;
        const once = formed(rule, text, read);
        // Google's formatter takes one title from a name, and leaves a second.
        fc.pre(once !== undefined && !(rule === 'given-name-google' && /^(?:mr|mrs|ms|dr)\.\s/.test(once)));
        expect(formed(rule, once, read)).toBe(once);
      }),
    );
  });

  if (rule === 'as-is') {
    return;
  }
  it('does not care for white space around it', () => {
    fc.assert(
      fc.property(typed, countries, fc.stringMatching(/^[ \t\n\u00a0]{0,3}$/), (text, country, space) => {
        expect(formed(rule, `${space}${text}${space}`, country)).toBe(formed(rule, text, country));
      }),
    );
  });

  if (rule === 'postal-code') {
    return;
  }
  it('does not care for capitals', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'abcmfzéöж .-@0123456789'), maxLength: 20 });
    const known = fc.constantFrom(...hashedVectors.map(([, text]) => text.toLowerCase()));
    fc.assert(
      fc.property(fc.oneof(plain, known), countries, (text, country) => {
        expect(formed(rule, text.toUpperCase(), country)).toBe(formed(rule, text, country));
      }),
    );
  });
});
