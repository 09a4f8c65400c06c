import type { DryRun } from '../run/rehearse.ts';
import { kindOfName, type PersonalColumns, type PersonalKind } from './columns.ts';
import { maskKey, maskText, maskValue, type Row } from './mask.ts';

/** What a run would do, with what it shows of rows masked. `key`: the columns of the model's key. */
export function maskDryRun(dry: DryRun, key: readonly string[], personal: PersonalColumns): DryRun {
  return {
    ...dry,
    sample: dry.sample.map((one) => ({
      ...one,
      key: maskKey(one.key, key, personal),
      item: maskItem(one.item, one.rows, personal),
    })),
    refusals: dry.refusals.map(({ reason, count, example }) => ({
      reason: maskText(reason, [], personal),
      count,
      example: maskKey(example, key, personal),
    })),
  };
}

/** What a destination would get: by the names it has there, and by what stands in the rows that it was made of. */
function maskItem(value: unknown, rows: readonly Row[], personal: PersonalColumns, name = ''): unknown {
  if (typeof value === 'string') {
    const shown = maskText(value, rows, personal);
    const kind = kindOfName(name);
    return kind === undefined || shown !== value ? shown : maskValue(kind, value);
  }
  if (typeof value === 'number' || typeof value === 'bigint') {
    const kind = kindOfName(name) ?? kindIn(String(value), rows, personal);
    return kind === undefined ? value : maskValue(kind, String(value));
  }
  if (Array.isArray(value)) {
    return value.map((one) => maskItem(one, rows, personal, name));
  }
  if (value === null || typeof value !== 'object' || value instanceof Date) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([inner, one]) => [inner, maskItem(one, rows, personal, inner)]),
  );
}

/** What a number is when it stands in a personal column. */
function kindIn(value: string, rows: readonly Row[], personal: PersonalColumns): PersonalKind | undefined {
  const column = [...personal.keys()].find((one) => rows.some((row) => row[one] === value));
  return column === undefined ? undefined : personal.get(column);
}
