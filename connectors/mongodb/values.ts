import type { Value } from '../../engine/contracts/destination.ts';
import type { Bson } from './client.ts';

/**
 * How values of one field are stored, after what is in the collection already or what its validator asks for. `number`
 * is any of the four types of numbers, whichever holds the value exactly; `any` is what JSON has.
 */
export type Kind =
  | 'int'
  | 'long'
  | 'double'
  | 'decimal'
  | 'number'
  | 'string'
  | 'bool'
  | 'date'
  | 'objectId'
  | 'uuid'
  | 'binData'
  | 'any';

/** A value that can't be stored as its field asks; the reason goes behind the field's name. */
export class Unfit extends Error {}

const mostDeep = 90;

/** A value as BSON. Throws {@link Unfit}. */
export function toBson(bson: Bson, kind: Kind, value: Value): unknown {
  if (value === null) {
    return null;
  }
  switch (kind) {
    case 'int':
    case 'long':
    case 'double':
    case 'decimal':
    case 'number':
      return numberOf(bson, kind, value);
    case 'string':
      return typeof value === 'object' ? natural(bson, value) : wellFormed(String(value));
    case 'bool':
      return expect(typeof value === 'boolean', value, 'takes yes or no');
    case 'date':
      return dateOf(value);
    case 'objectId':
      return new bson.ObjectId(match(value, /^[0-9a-f]{24}$/i, 'takes an ObjectId: 24 digits from 0 to f'));
    case 'uuid':
      return new bson.UUID(match(value, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'takes a UUID'));
    case 'binData':
      return bson.Binary.createFromBase64(
        match(
          value,
          /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
          'takes bytes, as Base64',
        ),
      );
    case 'any':
      return natural(bson, value);
    default:
      return kind satisfies never;
  }
}

function expect<T>(holds: boolean, value: T, reason: string): T {
  if (!holds) {
    throw new Unfit(reason);
  }
  return value;
}

function match(value: Value, pattern: RegExp, reason: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw new Unfit(reason);
  }
  return value;
}

const int32 = 2n ** 31n;
const int64 = 2n ** 63n;

/** Never rounded: what the field's own type can't hold exactly becomes the next type of number that can. */
function numberOf(
  bson: Bson,
  kind: 'int' | 'long' | 'double' | 'decimal' | 'number',
  value: Exclude<Value, null>,
): unknown {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) {
    throw new Unfit('takes a number');
  }
  if (kind !== 'decimal') {
    const double = String(Number(text)) === text ? new bson.Double(Number(text)) : undefined;
    const whole = kind === 'double' && double !== undefined ? double : wholeOf(bson, kind, text);
    if (whole !== undefined || double !== undefined) {
      return whole ?? double;
    }
  }
  try {
    return bson.Decimal128.fromString(text);
  } catch {
    throw new Unfit('has more digits than the 34 that MongoDB keeps');
  }
}

/** A whole number of at most 64 bits. */
function wholeOf(bson: Bson, kind: Kind, text: string): unknown {
  if (!/^[-+]?\d+$/.test(text)) {
    return undefined;
  }
  const whole = BigInt(text.replace(/^\+/, ''));
  if (kind !== 'long' && whole >= -int32 && whole < int32) {
    return new bson.Int32(Number(whole));
  }
  // More bits than that would wrap, without a word.
  return whole >= -int64 && whole < int64 ? bson.Long.fromBigInt(whole) : undefined;
}

/** MongoDB keeps milliseconds: what is finer is cut. */
function dateOf(value: Value): Date {
  const text = match(value, /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?$/, 'takes a date, or a time in UTC');
  const date = new Date(text.replace(/(\.\d{3})\d+Z$/, '$1Z'));
  // An invalid one would be stored as 1970, without a word; and 30 February is taken for 2 March.
  const isDay = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.slice(0, 10));
  return expect(isDay, date, 'holds a date that no calendar has');
}

/** Half of a character would be replaced, without a word. */
function wellFormed(text: string): string {
  return expect(!/\p{Cs}/u.test(text), text, 'holds half of a character (a lone surrogate)');
}

function natural(bson: Bson, value: Value, depth = 0): unknown {
  if (depth > mostDeep) {
    throw new Unfit('is nested more deeply than MongoDB allows');
  }
  if (typeof value === 'number') {
    return numberOf(bson, 'number', value);
  }
  if (typeof value === 'string') {
    return wellFormed(value);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item: Value) => natural(bson, item, depth + 1));
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name.startsWith('$') || name.includes('\0')) {
        throw new Unfit('holds a name that begins with $ or holds U+0000, which MongoDB does not take');
      }
      return [name, natural(bson, inner as Value, depth + 1)];
    }),
  );
}

/** One text for values that MongoDB finds equal: numbers are, whichever of the four types they are of. */
export function keyText(value: unknown): string {
  const typed = value as { readonly _bsontype?: string } | null;
  switch (typed?._bsontype) {
    case 'Int32':
    case 'Double':
    case 'Long':
    case 'Decimal128':
      return `n:${digits(String(value))}`;
    case 'ObjectId':
      return `o:${String(value)}`;
    case 'Binary':
    case 'UUID':
      return `b:${(value as { toString(as: 'hex'): string }).toString('hex').replaceAll('-', '')}`;
    default:
      return value instanceof Date
        ? `d:${value.getTime()}`
        : typeof value === 'number' || typeof value === 'bigint'
          ? `n:${digits(String(value))}`
          : `${typeof value}:${String(value)}`;
  }
}

function digits(text: string): string {
  return /^-?\d+$/.test(text) ? text.replace(/^-0$/, '0') : String(Number(text));
}
