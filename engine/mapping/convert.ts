import type { FieldSpec, FieldType, Value } from '../contracts/destination.ts';
import type { Column } from '../contracts/source.ts';

/** A value that its field does not take. The reason is for people and repeats no value. */
export class Refused extends Error {
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string) {
    super(reason);
    this.field = field;
    this.reason = reason;
  }
}

export type Convert = (text: string) => Value;

/** Turns a column's exact text into what a field takes; {@link Refused} when that can't be done without loss. */
export function converterTo(spec: FieldSpec, column: Column): Convert {
  const natural = naturalOf(spec.name, column);
  const convert = toType(spec.type, spec.name, column, natural);
  const { maxLength, options } = spec;
  if (maxLength === undefined && options === undefined) {
    return convert;
  }
  return (text) => checked(spec, convert(text));
}

/** Checks length and choices of a value that is a field's own already. */
export function checked(spec: FieldSpec, value: Value): Value {
  const { maxLength } = spec;
  const length = typeof value === 'string' ? lengthOf(value, maxLength) : 0;
  if (maxLength !== undefined && length > maxLength) {
    throw new Refused(
      spec.name,
      `${spec.label} is ${length.toLocaleString('en')} characters long; it takes ${maxLength.toLocaleString('en')}.`,
    );
  }
  if (spec.options !== undefined && value !== null && !spec.options.includes(String(value))) {
    const some = spec.options.slice(0, 8).join(', ');
    throw new Refused(spec.name, `${spec.label} takes only: ${some}${spec.options.length > 8 ? ', …' : ''}.`);
  }
  return value;
}

/** In characters, and not in halves of those that take two; counted only where it matters. */
function lengthOf(text: string, most: number | undefined): number {
  return most === undefined || text.length <= most ? text.length : [...text].length;
}

/** What the source's own type makes of a text. */
export function naturalOf(field: string, { type, native }: Column): Convert {
  if (native.endsWith('[]')) {
    return (text) => arrayOf(text);
  }
  switch (type) {
    case 'number':
      return (text) => numberOf(field, text);
    case 'boolean':
      return (text) => text === 't' || text === 'true';
    case 'time':
      return (text) => storedTimeOf(field, text);
    case 'json':
      return (text) => JSON.parse(exactNumbers(text)) as Value;
    case 'bytes':
      return (text) => Buffer.from(text.replace(/^\\x/, ''), 'hex').toString('base64');
    case 'text':
      return (text) => text;
    default:
      return type satisfies never;
  }
}

function toType(type: FieldType, field: string, column: Column, natural: Convert): Convert {
  switch (type) {
    case 'any':
    case 'json':
      return natural;
    case 'text':
      return column.type === 'text' || column.type === 'number'
        ? (text) => text
        : (text) => {
            const value = natural(text);
            return typeof value === 'string' ? value : JSON.stringify(value);
          };
    case 'integer':
      return (text) => integerOf(field, text);
    case 'number':
      return (text) => numberOf(field, text);
    case 'boolean':
      return (text) => booleanOf(field, text);
    case 'date':
      return (text) =>
        (column.type === 'time' ? storedTimeOf(field, text) : timeOf(field, text)).slice(0, 10);
    case 'time':
      return (text) => {
        const value = column.type === 'time' ? storedTimeOf(field, text) : timeOf(field, text);
        return value.length === 10 ? `${value}T00:00:00Z` : value;
      };
    default:
      return type satisfies never;
  }
}

/** A number where that is exact, otherwise its digits. */
function numberOf(field: string, text: string): number | string {
  if (text.length <= 15 && /^-?\d+(\.\d+)?$/.test(text)) {
    return Number(text);
  }
  const trimmed = text.trim();
  if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(trimmed)) {
    throw new Refused(field, `${field} takes a number.`);
  }
  const number = Number(trimmed);
  return isExact(trimmed, number) ? number : trimmed.replace(/^\+/, '');
}

/** Whether a number says what its text says. */
function isExact(text: string, number: number): boolean {
  if (/^[-+]?\d+$/.test(text)) {
    return Number.isSafeInteger(number);
  }
  const digits = digitsOf(text);
  if (!Number.isFinite(number) || (number === 0 && digits !== '')) {
    return false;
  }
  // Up to 15 digits every decimal has a double of its own; those that come from a double have up to 17.
  return digits.length <= 15 || digits === digitsOf(number.toExponential());
}

/** The digits that count, without the exponent. */
function digitsOf(text: string): string {
  return text.replace(/e.*$/i, '').replaceAll(/\D/g, '').replace(/^0+/, '');
}

function integerOf(field: string, text: string): number | string {
  const whole = /^([-+]?\d+)(?:\.0*)?$/.exec(text.trim())?.[1];
  if (whole === undefined) {
    throw new Refused(field, `${field} takes a whole number.`);
  }
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole.replace(/^\+/, '');
}

const words: Readonly<Record<string, boolean>> = {
  t: true,
  true: true,
  yes: true,
  y: true,
  '1': true,
  on: true,
  f: false,
  false: false,
  no: false,
  n: false,
  '0': false,
  off: false,
};

function booleanOf(field: string, text: string): boolean {
  const word = text.trim().toLowerCase();
  const value = Object.hasOwn(words, word) ? words[word] : undefined;
  if (value === undefined) {
    throw new Refused(field, `${field} takes yes or no.`);
  }
  return value;
}

const moment =
  /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|[-+]\d\d(?::?\d\d(?::?\d\d)?)?)?)?$/;

/** A date as `YYYY-MM-DD`, a time as ISO 8601 in UTC with its digits. A time without a zone is taken as UTC. */
function timeOf(field: string, text: string): string {
  const [, date, clock, zone] = moment.exec(text.trim()) ?? [];
  if (date === undefined || !isDay(date)) {
    throw new Refused(field, `${field} takes a date or a time.`);
  }
  if (clock === undefined) {
    return date;
  }
  const full = clock.length === 5 ? `${clock}:00` : clock;
  if (Number(full.slice(0, 2)) > 23 || Number(full.slice(3, 5)) > 59 || Number(full.slice(6, 8)) > 59) {
    throw new Refused(field, `${field} takes a date or a time.`);
  }
  if (zone === undefined || /^(Z|[-+]00(:?00)?)$/.test(zone)) {
    return `${date}T${full}Z`;
  }
  // The fraction is no part of the shift: it stays as it stands.
  const [seconds = '', fraction] = full.split('.');
  const shifted = new Date(`${date}T${seconds}${zone.length === 3 ? `${zone}:00` : zone}`);
  if (Number.isNaN(shifted.getTime())) {
    throw new Refused(field, `${field} takes a date or a time.`);
  }
  return `${shifted.toISOString().slice(0, 19)}${fraction === undefined ? '' : `.${fraction}`}Z`;
}

/** Whether the calendar has such a day. */
function isDay(date: string): boolean {
  const [year, month, day] = [date.slice(0, 4), date.slice(5, 7), date.slice(8)].map(Number) as [
    number,
    number,
    number,
  ];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : (daysOf[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

const daysOf = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * A time as a database wrote it, which is a time for certain: where it is in UTC already, as our sources ask for, two
 * signs are all that changes.
 */
function storedTimeOf(field: string, text: string): string {
  return text.length >= 22 && text[4] === '-' && text[10] === ' ' && text.endsWith('+00')
    ? `${text.slice(0, 10)}T${text.slice(11, -3)}Z`
    : timeOf(field, text);
}

/** JSON in which numbers that JavaScript would round are text. */
function exactNumbers(text: string): string {
  return /\d[\d.]{15}|\d[eE]/.test(text)
    ? text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g, (part) =>
        part.startsWith('"') || isExact(part, Number(part)) ? part : `"${part}"`,
      )
    : text;
}

/** An array as PostgreSQL writes it, `{a,"b c",NULL,{d}}`, as a list of texts. */
function arrayOf(text: string): Value {
  const body = text.replace(/^\[[^=]*\]=/, '');
  let at = 0;
  const list = (): Value[] => {
    const items: Value[] = [];
    at += 1;
    while (at < body.length && body[at] !== '}') {
      items.push(body[at] === '{' ? list() : item());
      at += body[at] === ',' ? 1 : 0;
    }
    at += 1;
    return items;
  };
  const item = (): Value => {
    if (body[at] === '"') {
      const [whole, inner = ''] = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(body.slice(at)) ?? ['"'];
      at += whole.length;
      return inner.replaceAll(/\\([\s\S])/g, '$1');
    }
    const [bare = ''] = /^[^,}]*/.exec(body.slice(at)) ?? [];
    at += bare.length;
    return bare.toUpperCase() === 'NULL' ? null : bare;
  };
  return body.startsWith('{') ? list() : text;
}
