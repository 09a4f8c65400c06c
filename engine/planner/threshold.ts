import { ActivateError } from '../contracts/errors.ts';
import type { Threshold } from '../model/alert.ts';

/** What is remembered of one key: its last values, newest last, and whether it was over the line. */
export interface Observation {
  readonly recent: readonly number[];
  readonly firing: boolean;
}

const kept = 30;
/** "Unusual" needs this many values before it says anything. */
const enough = 8;
const mostRows = 10_000;

/**
 * Whether a value crosses the line, given what was seen before. `moved` and `unusual` compare with earlier values and
 * say nothing on the first.
 */
export function crosses(
  test: Threshold['test'],
  limit: number,
  value: number,
  before: readonly number[],
): boolean {
  switch (test) {
    case 'above':
      return value > limit;
    case 'below':
      return value < limit;
    case 'moved': {
      const last = before.at(-1);
      if (last === undefined || last === value) {
        return false;
      }
      return last === 0 || Math.abs((value - last) / last) * 100 > limit;
    }
    case 'unusual': {
      if (before.length < enough) {
        return false;
      }
      const mean = before.reduce((sum, one) => sum + one, 0) / before.length;
      const spread = Math.sqrt(before.reduce((sum, one) => sum + (one - mean) ** 2, 0) / before.length);
      return spread === 0 ? value !== mean : Math.abs(value - mean) / spread > limit;
    }
    default:
      return test satisfies never;
  }
}

/** The observation after a value. */
export function observed(before: Observation | undefined, value: number, firing: boolean): Observation {
  return { recent: [...(before?.recent ?? []), value].slice(-kept), firing };
}

interface Firing {
  readonly lines: AsyncIterable<Uint8Array>;
  readonly keyWidth: number;
  /** Position of the value among the fields of a line. */
  readonly valueAt: number;
  readonly threshold: Threshold;
  readonly before: ReadonlyMap<string, Observation>;
  /** Told each key's value and whether it fires. */
  readonly observe: (key: string, observation: Observation) => void;
}

/**
 * Lets through only the lines over the line, so that the planner's difference is the difference of what fires. A
 * model without a key must give one row, which is known as "all". Throws INPUT_INVALID beyond 10,000 rows.
 */
export async function* firingLines(input: Firing): AsyncGenerator<Uint8Array> {
  let rows = 0;
  for await (const line of wholeLines(input.lines)) {
    rows += 1;
    if (rows > (input.keyWidth === 0 ? 1 : mostRows)) {
      throw tooMany(input.keyWidth);
    }
    if (fires(line.slice(0, -1).split('\t'), input)) {
      yield Buffer.from(input.keyWidth === 0 ? `all\t${line}` : line);
    }
  }
}

function fires(fields: readonly string[], input: Firing): boolean {
  const key = input.keyWidth === 0 ? 'all' : fields.slice(0, input.keyWidth).join('\t');
  const text = fields[input.valueAt] ?? '\\N';
  const value = Number(text);
  if (text === '\\N' || Number.isNaN(value)) {
    return false;
  }
  const before = input.before.get(key);
  const firing = crosses(input.threshold.test, input.threshold.limit, value, before?.recent ?? []);
  input.observe(key, observed(before, value, firing));
  return firing;
}

function tooMany(keyWidth: number): ActivateError {
  return keyWidth === 0
    ? new ActivateError(
        'INPUT_INVALID',
        'A threshold without a key needs a query that gives one row; this one gives more.',
        {
          fix: 'Choose a key column, or aggregate to one row.',
        },
      )
    : new ActivateError(
        'INPUT_INVALID',
        `A threshold watches at most ${mostRows.toLocaleString('en')} rows; this query gives more.`,
        {
          fix: 'Group the rows, or put the condition into the query and use the trigger "a row appears".',
        },
      );
}

async function* wholeLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const piece of pieces) {
    rest = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    let from = 0;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a, from)) {
      yield rest.toString('utf8', from, end + 1);
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
}
