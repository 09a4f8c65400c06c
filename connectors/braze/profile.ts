import type {
  FieldSpec,
  FieldType,
  ObjectBatch,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import type { Attribute, Client } from './client.ts';
import type { Login } from './config.ts';

/** The ways to say whom something is about, the surest first: Braze is told one of them. */
const ways = {
  external_id: 'External id',
  braze_id: 'Braze id',
  alias_name: 'User alias',
  email: 'E-mail address',
  phone: 'Phone number',
} as const;
export type Way = keyof typeof ways;

/** Aliases need a label, which the connection has or has not. */
export function waysOf({ aliasLabel }: Login): readonly { readonly name: Way; readonly label: string }[] {
  return (Object.keys(ways) as Way[])
    .filter((name) => name !== 'alias_name' || aliasLabel !== undefined)
    .map((name) => ({ name, label: ways[name] }));
}

/** Whom it is about, in Braze's words: by the surest way of those that are given. */
export function whoIs(
  known: Readonly<Record<string, Value>>,
  { aliasLabel = '' }: Login,
): Readonly<Record<string, Value>> {
  const way = (Object.keys(ways) as Way[]).find((name) => known[name] !== undefined);
  if (way === undefined) {
    return {};
  }
  const value = known[way] ?? null;
  return way === 'alias_name'
    ? { user_alias: { alias_name: value, alias_label: aliasLabel } }
    : { [way]: value };
}

// Fields -------------------------------------------------------------------------------------------------------------

const states = ['opted_in', 'subscribed', 'unsubscribed'];

/** What every user can have; all that has a name of its own is a custom attribute. */
const standard: readonly (readonly [name: string, type: FieldType, options?: readonly string[]])[] = [
  ['first_name', 'text'],
  ['last_name', 'text'],
  ['country', 'text'],
  ['language', 'text'],
  ['dob', 'date'],
  ['gender', 'text', ['M', 'F', 'O', 'N', 'P']],
  ['home_city', 'text'],
  ['time_zone', 'text'],
  ['image_url', 'text'],
  ['email_subscribe', 'text', states],
  ['push_subscribe', 'text', states],
  ['current_location', 'json'],
  ['subscription_groups', 'json'],
  ['date_of_first_session', 'time'],
  ['date_of_last_session', 'time'],
  ['marked_email_as_spam_at', 'time'],
];

/** Meant for Braze itself wherever they stand in an object. */
const orders = ['user_alias', '_update_existing_only', '_merge_objects', 'push_token_import', 'push_tokens'];

export function isReserved(name: string): boolean {
  return (
    [...Object.keys(ways), ...orders, ...standard.map(([own]) => own)].includes(name) || name.startsWith('$')
  );
}

export const isActive = ({ status }: Attribute): boolean => status === 'Active';

/** The fields of a user: those of every user, and the workspace's own attributes. */
export function specsOf(login: Login, attributes: readonly Attribute[]): readonly FieldSpec[] {
  const spec = (name: string, label: string, type: FieldType, more: Partial<FieldSpec> = {}): FieldSpec => ({
    name,
    label,
    type,
    required: false,
    key: false,
    ...more,
  });
  return [
    // Several users can have the same address or number.
    ...waysOf(login).map(({ name, label }) =>
      spec(name, label, 'text', { key: name !== 'email' && name !== 'phone' }),
    ),
    ...standard.map(([name, type, options]) =>
      spec(name, name.replaceAll('_', ' '), type, options === undefined ? {} : { options }),
    ),
    ...attributes
      .filter((one) => isActive(one) && !isReserved(one.name))
      .map((one) => {
        const type = typeOf(one);
        return spec(one.name, one.name, type, type === 'text' ? { maxLength: 255 } : {});
      }),
  ];
}

/** Types that Braze guessed are marked as such behind the type. */
export function typeOf({ dataType }: Attribute): FieldType {
  switch (/^[a-z]+/.exec(dataType.toLowerCase())?.[0]) {
    case 'string':
      return 'text';
    case 'integer':
      return 'integer';
    case 'number':
    case 'float':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'time':
    case 'date':
      return 'time';
    default:
      return 'any';
  }
}

/** The attributes of the workspace as they were last looked at are kept with the connection. */
export interface Catalog {
  fresh(signal?: AbortSignal): Promise<readonly Attribute[]>;
  known(signal?: AbortSignal): Promise<readonly Attribute[]>;
}

export function openCatalog(client: Client): Catalog {
  let kept: readonly Attribute[] | undefined;
  const fresh: Catalog['fresh'] = async (signal) => {
    kept = await client.attributes(signal);
    return kept;
  };
  return { fresh, known: async (signal) => kept ?? fresh(signal) };
}

/** What stands against writing like this, in sentences. */
export function obstaclesOf(
  login: Login,
  attributes: readonly Attribute[],
  { operation, match, fields }: Omit<ObjectBatch, 'items'>,
): readonly string[] {
  const [only] = match;
  const known = waysOf(login).map(({ name }) => name as string);
  if (only === undefined || match.length > 1 || !known.includes(only)) {
    return [`Braze finds a user by one field: choose one of ${known.join(', ')}.`];
  }
  if (operation === 'delete') {
    return ['Braze deletes users for good, with all that they did, and does it some time later.'];
  }
  const others = fields.map(({ name }) => name).filter((name) => name !== only);
  // An address beside the number would be what Braze goes by.
  const fixed = ['external_id', 'braze_id', 'alias_name', ...(only === 'phone' ? ['email'] : [])];
  const taken = others.filter(
    (name) => fixed.includes(name) || orders.includes(name) || name.startsWith('$'),
  );
  const named = (test: (one: Attribute) => boolean): string =>
    attributes
      .filter((one) => others.includes(one.name) && test(one))
      .map(({ name }) => name)
      .join(', ');
  const off = named((one) => !isActive(one) && !isReserved(one.name));
  const fresh = others.filter((name) => !isReserved(name) && !attributes.some((one) => one.name === name));
  return [
    ...(taken.length > 0
      ? [`Beside ${only} Braze takes no ${taken.join(', ')}: leave it out of the mapping.`]
      : []),
    ...(off === '' ? [] : [`Braze takes nothing for these attributes, because they are not active: ${off}.`]),
    ...(fresh.length > 0
      ? [
          `Braze has no attribute ${fresh.join(', ')} yet and makes it. Its first value decides what it can hold.`,
        ]
      : []),
  ];
}

// Values -------------------------------------------------------------------------------------------------------------

/** What must not be sent, because Braze would take it and make something else of it, or drop it without a word. */
export function refusalOf(
  values: Readonly<Record<string, Value>>,
  attributes: readonly Attribute[],
): Outcome | undefined {
  for (const [field, value] of Object.entries(values)) {
    const one = attributes.find(({ name }) => name === field);
    const type = one === undefined ? 'any' : typeOf(one);
    const most = one?.arrayLength;
    const reject = (reason: string): Outcome => ({ state: 'rejected', reason, field });
    if (typeof value === 'object' && value !== null && holdsNothing(value)) {
      return reject(`Braze would drop all that is nested in ${field}, because a part of it is empty (null).`);
    }
    if (typeof value === 'string' && (type === 'integer' || type === 'number')) {
      return reject(`${field} has more digits than Braze keeps of a number.`);
    }
    if (Array.isArray(value) && most !== undefined && value.length > most) {
      return reject(`Braze keeps ${most} values in ${field} and would drop the others.`);
    }
  }
  return undefined;
}

function holdsNothing(value: Value): boolean {
  return value === null || (typeof value === 'object' && Object.values(value).some(holdsNothing));
}

/** Braze documents times to the millisecond: more digits are cut off. */
export function withShortTimes(values: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  const cut = (value: Value): Value =>
    typeof value === 'string' ? value.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d+Z$/, '$1Z') : value;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, cut(value)]));
}
