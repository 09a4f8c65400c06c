import type { SqlToken } from '../contracts/sql.ts';
import { isSign, lineOf, refuse, wordOf } from './tokens.ts';

/** One pair of parentheses: is it a query, and what part of it are we in? */
interface Place {
  readonly query: boolean;
  part: 'tables' | 'condition' | 'other';
}

const queries = /^(select|with|from|values|table|pivot|unpivot|describe|summarize|show)$/;
const openTables = /^(from|join|pivot|unpivot|describe|summarize|show|table)$/;
const endTables =
  /^(select|where|group|order|having|limit|offset|qualify|window|union|except|intersect|sample)$/;
const kinds = 'csv|tsv|json|jsonl|ndjson|parquet';
const path = new RegExp(String.raw`[/\\*?]|\.(${kinds}|txt|arrow|avro|xlsx|db|duckdb|gz|zst)$`, 'i');
const lastPart = new RegExp(`^(${kinds})$`, 'i');

/**
 * Refuses a file in the place of a table. DuckDB reads `from 'x.csv'`, and `from "x.csv"` and `from x.csv` when there is
 * no such table.
 */
export function proveNoFiles(sql: string, tokens: readonly SqlToken[]): void {
  const places: Place[] = [{ query: true, part: 'other' }];
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i] as SqlToken;
    const place = places.at(-1) ?? { query: true, part: 'other' };
    if (place.query && place.part === 'tables' && isFile(tokens, i)) {
      refuse(
        `“${token.text.slice(0, 40)}” in line ${lineOf(sql, token)} would read a file.`,
        'Name a table or a view of the database.',
      );
    }
    const sign = token.kind === 'sign' ? token.text : '';
    if (/^[([{]$/.test(sign)) {
      places.push(opened(tokens, i, place));
    } else if (/^[)\]}]$/.test(sign)) {
      places.pop();
    } else if (place.query) {
      place.part = partAfter(place.part, tokens, i);
    }
  }
}

function partAfter(part: Place['part'], tokens: readonly SqlToken[], i: number): Place['part'] {
  const word = wordOf(tokens[i]);
  if (opensTables(tokens, i) || (part === 'condition' && isSign(tokens[i], ','))) {
    return 'tables';
  }
  if (part === 'tables' && word === 'on') {
    return 'condition';
  }
  return endTables.test(word) ? 'other' : part;
}

/** Not `a is distinct from 'b'`. */
function opensTables(tokens: readonly SqlToken[], i: number): boolean {
  const distinct = wordOf(tokens[i - 1]) === 'distinct' && /^(is|not)$/.test(wordOf(tokens[i - 2]));
  return openTables.test(wordOf(tokens[i])) && !distinct;
}

function opened(tokens: readonly SqlToken[], i: number, around: Place): Place {
  const [before, first] = [tokens[i - 1], tokens[i + 1]];
  if (isSign(tokens[i], '(') && queries.test(wordOf(first))) {
    return { query: true, part: 'other' };
  }
  // `from (a join 'b.csv' on …)`, and not `values ('a')` or `range('a')`.
  const joined = around.part === 'tables' && (isSign(before, ',') || opensTables(tokens, i - 1));
  return joined && isSign(tokens[i], '(') ? { query: true, part: 'tables' } : { query: false, part: 'other' };
}

function isFile(tokens: readonly SqlToken[], i: number): boolean {
  const token = tokens[i] as SqlToken;
  switch (token.kind) {
    case 'literal':
      return !/^\.?\d/.test(token.text);
    case 'name':
    case 'word':
      return path.test(token.text) || (isSign(tokens[i - 1], '.') && lastPart.test(token.text));
    default:
      return false;
  }
}
