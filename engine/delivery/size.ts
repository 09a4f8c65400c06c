/**
 * How many bytes a value takes as JSON, at most: exact for what is large, a bound for what is small beside `limit`. To
 * write everything down only to count it costs more than all else that is done with a row.
 */
export function sizeOf(value: unknown, limit: number): number {
  const bound = boundOf(value);
  return bound * wellBelow < limit ? bound : Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** An item this many times smaller than a batch does not need to be counted to the byte. */
const wellBelow = 1000;

/** Never less than the JSON takes: a character is six bytes at most, as `\u0000`. */
function boundOf(value: unknown): number {
  if (typeof value === 'string') {
    return value.length * 6 + 2;
  }
  if (typeof value !== 'object' || value === null) {
    return 26;
  }
  let sum = 2;
  if (Array.isArray(value)) {
    for (const one of value) {
      sum += boundOf(one) + 1;
    }
    return sum;
  }
  for (const name in value) {
    sum += name.length * 6 + 4 + boundOf((value as Record<string, unknown>)[name]);
  }
  return sum;
}
