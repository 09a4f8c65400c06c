import type { Column } from '../contracts/source.ts';

/** What a value tells about a person. `other`: somebody said that it is personal, and its name does not say what. */
export type PersonalKind = 'email' | 'phone' | 'name' | 'address' | 'birth' | 'ip' | 'id' | 'other';

/** The columns that tell who somebody is, by name. */
export type PersonalColumns = ReadonlyMap<string, PersonalKind>;

/** Words that may stand after the one that tells: `email_2`, `phone_number`, `address_line_1`. */
const after =
  '(?:_(?:address|addr|adresse|number|no|nr|num|line|value|raw|e164|primary|work|home|private|[0-9]))*$';
/** Whose it is: `customer_name` tells, `product_name` does not. */
const people =
  'contact|customer|client|person|people|employee|owner|recipient|patient|user|member|lead|buyer|payer|holder|kunde|kunden|kontakt|cliente';

/**
 * What names of columns tell, most telling first. Names are compared in small letters, without accents, their words
 * parted by `_`: `customerE-Mail` is `customer_e_mail`. English, and the everyday words of some other languages.
 */
const telling: readonly (readonly [PersonalKind, RegExp])[] = [
  ['ip', new RegExp(`(?:^|_)(?:ip|ipv4|ipv6|ipaddress)${after}`)],
  [
    'id',
    new RegExp(
      `(?:^|_)(?:ssn|social_security|sin|nino|national_insurance|national_id|passport|passeport|pasaporte|reisepass|ausweis|identity_card|personalausweis|drivers?_licen[cs]e|licen[cs]e_plate|tax_id|tin|steuer_id|steuernummer|codice_fiscale|nif|dni|nie|cpf|curp|bsn|pesel|personnummer|iban|bank_account|credit_card|idfa|idfv|gaid|aaid|maid|madid|imei|udid|(?:card|pan|device|advertising|ad|android|mac)_(?:id|identifier|number|no|nr|address)|macaddress)(?:_id)?${after}`,
    ),
  ],
  ['email', new RegExp(`(?:^|_)(?:e_?mail|mail|emailaddress|courriel|correo|correo_electronico)${after}`)],
  [
    'phone',
    new RegExp(
      `(?:^|_)(?:phone|phonenumber|mobile|mobil|cell|cellphone|tel|telephone|telefon|telefono|telefone|telefoon|handy|fax|msisdn|whatsapp|movil|celular)${after}`,
    ),
  ],
  [
    'birth',
    /(?:^|_)(?:birth|birthday|birthdate|birth_date|date_of_birth|dob|geburtsdatum|geburtstag|date_(?:de_)?naissance|naissance|fecha_(?:de_)?nacimiento|nacimiento|data_(?:di_)?nascita|nascita|nascimento|geboortedatum)(?:_at|_on|_date|_year)?$/,
  ],
  [
    'name',
    new RegExp(
      `(?:^|_)(?:first_?name|fname|given_?names?|forename|middle_?name|last_?name|lname|surname|family_?name|maiden_?name|full_?name|nick_?name|user_?name|login|vorname|nachname|familienname|prenom|nom_de_famille|apellidos?|cognome|sobrenome|voornaam|achternaam|imie|nazwisko|(?:${people})_name)(?:_[0-9])?$`,
    ),
  ],
  [
    'address',
    new RegExp(
      `(?:^|_)(?:address|addr|street|strasse|str|house_?number|hausnummer|adresse|anschrift|direccion|indirizzo|rue|calle|via|endereco|morada|adres|ulica|zip|zipcode|zip_code|postal_?code|postcode|post_code|plz|code_postal|codigo_postal|cap|latitude|longitude)${after}`,
    ),
  ],
];

/** Names that hold a telling word and are about something else. */
const aboutSomethingElse =
  /(?:^|_)(?:web|site|contract|wallet|company|business)_addr(?:ess)?$|(?:^|_)(?:has|is|wants|num|count|number_of)_/;

/** The kinds that a number, a time or a truth value can be: `email_count` tells nothing. */
const ofType: Readonly<Record<Column['type'], readonly PersonalKind[] | 'all'>> = {
  text: 'all',
  json: 'all',
  bytes: 'all',
  number: ['phone', 'id', 'address'],
  time: ['birth'],
  boolean: [],
};

/** What the name of a column tells; undefined when nothing. */
export function kindOfName(name: string): PersonalKind | undefined {
  const words = name
    .normalize('NFD')
    .replaceAll(/\p{Diacritic}/gu, '')
    .replaceAll('ß', 'ss')
    .replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  if (aboutSomethingElse.test(words)) {
    return undefined;
  }
  return telling.find(([, pattern]) => pattern.test(words))?.[0];
}

/**
 * The columns that tell who somebody is. `marks` are those that a person named; without, they are recognised by name.
 * Values that look like an address or a number to reach somebody by are masked in any column, see {@link masked}.
 */
export function personalColumns(
  columns: readonly Pick<Column, 'name' | 'type'>[],
  marks: readonly string[] | null | undefined,
): PersonalColumns {
  const found = columns.flatMap(({ name, type }) => {
    const kind = kindOfName(name);
    if (marks !== null && marks !== undefined) {
      return marks.includes(name) ? [[name, kind ?? 'other'] as const] : [];
    }
    const fitting = ofType[type];
    return kind !== undefined && (fitting === 'all' || fitting.includes(kind)) ? [[name, kind] as const] : [];
  });
  return new Map(found);
}
