import type { Column, KeyOrder } from '../../engine/contracts/source.ts';

/** The kind of a column, by DuckDB's name of its type. */
export function kindOf(native: string): Column['type'] {
  if (/^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DECIMAL.*|FLOAT|DOUBLE)$/.test(native)) {
    return 'number';
  }
  if (/^(DATE|TIME)/.test(native)) {
    return /[[(]/.test(native) ? 'json' : 'time';
  }
  if (isNested(native) || native === 'JSON') {
    return 'json';
  }
  return native === 'BOOLEAN' ? 'boolean' : native === 'BLOB' ? 'bytes' : 'text';
}

function isNested(native: string): boolean {
  return /^(STRUCT|MAP|UNION|VARIANT)\b|\]$/.test(native);
}

/**
 * SQL for the exact text of a value; NULL stays NULL. Times with a zone are those of UTC, because the session's zone is
 * and can not be changed.
 */
export function textOf({ native }: Pick<Column, 'native'>, expression: string): string {
  if (native === 'VARCHAR') {
    return expression;
  }
  if (native === 'BLOB') {
    return `'\\x' || lower(hex(${expression}))`;
  }
  if (native === 'FLOAT' || native === 'DOUBLE') {
    return `CASE WHEN isnan(${expression}) THEN 'NaN' WHEN isinf(${expression}) THEN CASE WHEN ${expression} > 0 THEN 'Infinity' ELSE '-Infinity' END ELSE CAST(${expression} AS VARCHAR) END`;
  }
  return isNested(native) ? `CAST(to_json(${expression}) AS VARCHAR)` : `CAST(${expression} AS VARCHAR)`;
}

const wholeNumber = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/;

/** How a column is sorted when it is part of a key: whole numbers as such, all else by the bytes of its text. */
export function orderOf({ native }: Pick<Column, 'native'>): KeyOrder {
  return wholeNumber.test(native) ? 'numeric' : 'bytes';
}

/** What sorts like that. Bytes and not text: a column may have a collation that takes `a` for `A`. */
export function sortOf(column: Pick<Column, 'native'>, expression: string): string {
  return orderOf(column) === 'numeric' ? expression : `encode(${textOf(column, expression)})`;
}

/** SQL for a whole line of a reading, without its end. */
export function lineOf(columns: readonly (readonly [column: Column, expression: string])[]): string {
  const fields = columns.map(([column, expression]) => {
    const text = textOf(column, expression);
    return `coalesce(${/^(number|time|boolean)$/.test(column.type) ? text : escaped(text)}, '\\N')`;
  });
  return fields.length === 0 ? "''" : fields.join(' || chr(9) || ');
}

function escaped(text: string): string {
  const signs = [
    ["'\\'", "'\\\\'"],
    ['chr(9)', "'\\t'"],
    ['chr(10)', "'\\n'"],
    ['chr(13)', "'\\r'"],
  ];
  return signs.reduce((inside, [sign, instead]) => `replace(${inside}, ${sign}, ${instead})`, text);
}
