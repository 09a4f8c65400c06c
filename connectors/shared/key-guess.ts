import type { Column, Table } from '../../engine/contracts/source.ts';

/** A column of a query that is one of the columns of a table's primary key. */
export interface KeyPart {
  /** Which column of the query, from 0. */
  readonly at: number;
  /** How many columns that primary key has. */
  readonly of: number;
}

/** How many rows a sample should have in which a key is looked for. */
export const sampleRows = 1000;

/**
 * The columns that look like the key: one of a primary key, else what is unique and never NULL in a sample, the best name
 * first. A primary key of several columns is the answer only where no single column will do; none when nothing does.
 */
export function guessKey({ columns, rows }: Table, primary: readonly KeyPart[]): readonly string[] {
  const single = columns.flatMap((column, at) =>
    canBeKey(column) && isUnique(rows, [at]) ? [{ name: column.name, at }] : [],
  );
  const isPrimary = (at: number): boolean => primary.some((part) => part.at === at && part.of === 1);
  const score = ({ name, at }: { name: string; at: number }): number =>
    isPrimary(at) ? 0 : 1 + nameScore(name);
  const best = single.sort((a, b) => score(a) - score(b) || a.at - b.at).slice(0, 1);
  const composite = primary.filter((part) => part.of > 1).map((part) => part.at);
  return best.length > 0 || !isUnique(rows, composite)
    ? best.map((column) => column.name)
    : composite.map((at) => columns[at]?.name ?? '');
}

function isUnique(rows: Table['rows'], indexes: readonly number[]): boolean {
  const seen = new Set(rows.map((row) => JSON.stringify(indexes.map((at) => row[at]))));
  return (
    indexes.length > 0 &&
    seen.size === rows.length &&
    rows.every((row) => indexes.every((at) => row[at] !== null))
  );
}

/** Numbers with fractions say how much, and not which one. */
function canBeKey({ type, native }: Column): boolean {
  return (
    type === 'text' || (type === 'number' && !/^(real|double|float|numeric|decimal|bignumeric)/i.test(native))
  );
}

const names = [/^(id|uuid|guid|key|pk)$/i, /[_ ]?(id|uuid|guid|key)$/i, /(number|code|email|slug|ref)/i];

function nameScore(name: string): number {
  const found = names.findIndex((pattern) => pattern.test(name));
  return found === -1 ? names.length : found;
}
