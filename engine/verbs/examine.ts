import type { Source } from '../contracts/connector.ts';
import { asActivateError } from '../contracts/errors.ts';
import type { Finding } from '../services.ts';
import { proveSelect } from '../sql/guard.ts';
import { sourceNamed } from '../store/sources.ts';
import { askLimits, type VerbParts } from './parts.ts';

const sampleRows = 5;

/** Runs a query of a person and looks at what it gives. */
export async function examine(
  parts: VerbParts,
  sourceName: string,
  sql: string,
  key: readonly string[] | undefined,
): Promise<Finding> {
  const record = await sourceNamed(parts.db, sourceName);
  await proveSelect(sql, parts.sources.dialect(record.connector));
  const source = await parts.sources.use(record);
  const columns = await source.describe(sql, askLimits);
  const [sample, rows, suggestedKey] = await Promise.all([
    source.preview(sql, sampleRows, askLimits),
    source.count(sql, askLimits),
    source.suggestKey(sql, askLimits),
  ]);
  const warnings = rows === 0 ? ['The query gives no rows just now. That is fine if rows appear later.'] : [];
  const about = key === undefined || key.length === 0 ? [] : await keyWarnings(source, sql, key);
  return { columns, sample, rows, suggestedKey, warnings: [...warnings, ...about] };
}

/** Sentences about rows that a key would leave out. Left unsaid when the question takes too long. */
async function keyWarnings(source: Source, sql: string, key: readonly string[]): Promise<readonly string[]> {
  const names = key.map((name) => `"${name.replaceAll('"', '""')}"`);
  const present = names.map((name) => `${name} is not null`).join(' and ');
  const question = `select count(*) as all_rows, count(*) filter (where ${present}) as with_key,
      count(distinct (${names.join(', ')})) filter (where ${present}) as keys
    from (${sql.trim().replace(/;+\s*$/, '')}\n) as examined`;
  try {
    const { rows } = await source.preview(question, 1, askLimits);
    const [all = 0, withKey = 0, keys = 0] = (rows[0] ?? []).map(Number);
    return [
      ...(all > withKey
        ? [`${all - withKey} of ${all} rows have no ${key.join(' / ')}: they will be left out.`]
        : []),
      ...(withKey > keys
        ? [
            `${key.join(' / ')} is not unique: ${withKey} rows share ${keys} keys. Rows that share a key are left out.`,
          ]
        : []),
    ];
  } catch (thrown) {
    const error = asActivateError(thrown);
    if (error.code !== 'SQL_TIMEOUT') {
      throw error;
    }
    return [];
  }
}
