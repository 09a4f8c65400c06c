import type {
  FieldSpec,
  FieldType,
  ObjectBatch,
  Outcome,
  Value,
} from '../../engine/contracts/destination.ts';
import type { Identifier, Login } from './config.ts';

export const labels: Readonly<Record<Identifier, string>> = { email: 'E-mail address', userId: 'User id' };

/** Iterable keeps these itself. */
const managed = [
  'createdAt',
  'devices',
  'emailListIds',
  'itblDS',
  'itblInternal',
  'itblUserId',
  'profileUpdatedAt',
  'receivedSMSDisclaimer',
  'signupDate',
  'signupSource',
  'subscribedMessageTypeIds',
  'unsubscribedChannelIds',
  'unsubscribedMessageTypeIds',
];

/** The fields of a user: how the project knows them, and what it keeps about them. */
export function specsOf({ identifiers }: Login, types: ReadonlyMap<string, string>): readonly FieldSpec[] {
  const own = identifiers.map(
    (name): FieldSpec => ({ name, label: labels[name], type: 'text', required: false, key: true }),
  );
  const others = [...types]
    .filter(([name]) => !managed.includes(name) && !identifiers.some((one) => one === name))
    .map(([name, kept]): FieldSpec => {
      const type = typeOf(kept);
      // There are about so many characters to a value.
      const more = type === 'text' ? { maxLength: 32_000 } : {};
      return { name, label: name, type, required: false, key: false, ...more };
    });
  return [...own, ...others];
}

function typeOf(kept: string): FieldType {
  switch (kept) {
    case 'string':
      return 'text';
    case 'long':
      return 'integer';
    case 'double':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'date':
      return 'time';
    default:
      return 'any';
  }
}

/** What stands against writing like this, in sentences. */
export function obstaclesOf(
  { identifiers, makesFields }: Login,
  types: ReadonlyMap<string, string>,
  { operation, match, fields }: Omit<ObjectBatch, 'items'>,
): readonly string[] {
  const [only] = match;
  if (match.length !== 1 || !identifiers.some((name) => name === only)) {
    return [`The project knows its users by ${identifiers.join(' or ')}: match by one of these alone.`];
  }
  if (operation === 'delete') {
    return ['Iterable deletes users for good, with all that they did.'];
  }
  const others = fields.map(({ name }) => name).filter((name) => name !== only);
  const kept = others.filter((name) => managed.includes(name) || name.includes('.'));
  const fresh = others.filter((name) => !types.has(name) && !kept.includes(name) && !isIdentity(name));
  return [
    ...(kept.length > 0 ? [`Iterable keeps these fields itself: ${kept.join(', ')}. Leave them out.`] : []),
    ...(fresh.length > 0 && makesFields === false
      ? [
          `Iterable has no field ${fresh.join(', ')}, and the connection makes none: all rows would be refused.`,
        ]
      : []),
    ...(fresh.length > 0 && makesFields !== false
      ? [
          `Iterable has no field ${fresh.join(', ')} yet. Its first value decides for ever what it can hold: for numbers that may have decimals, make it in Iterable first.`,
        ]
      : []),
    ...(operation === 'update'
      ? [
          'Iterable has to have switched on for the project that users are only updated (`updateOnly`): otherwise it makes new ones.',
        ]
      : []),
  ];
}

const isIdentity = (name: string): boolean => name === 'email' || name === 'userId';

/** What must not be sent, because it would cost the whole request, or become something else. */
export function refusalOf(
  values: Readonly<Record<string, Value>>,
  types: ReadonlyMap<string, string>,
): Outcome | undefined {
  const field = Object.keys(values).find((name) => {
    const type = typeOf(types.get(name) ?? '');
    return typeof values[name] === 'string' && (type === 'integer' || type === 'number');
  });
  return field === undefined
    ? undefined
    : { state: 'rejected', reason: `${field} has more digits than Iterable keeps of a number.`, field };
}

/**
 * Values as Iterable has them. Times have to look like `2026-11-23 12:00:00 +00:00`: as ISO 8601 they would become texts,
 * and so would all later ones of that field. `isText`: fields that hold texts already, whatever is in them.
 */
export function dataOf(
  values: Readonly<Record<string, Value>>,
  isText: (name: string) => boolean = () => false,
): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, isText(name) ? value : withTimes(value)]),
  );
}

function withTimes(value: Value): Value {
  if (typeof value === 'string') {
    return value.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, '$1 $2 +00:00');
  }
  if (Array.isArray(value)) {
    return value.map(withTimes);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withTimes(part as Value)]))
    : value;
}
