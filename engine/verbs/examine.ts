import { asActivateError } from '../contracts/errors.ts';
import type { Column, Source } from '../contracts/source.ts';
import type { Finding } from '../services.ts';
import { proveSelect } from '../sql/guard.ts';
import { keyQuestion } from '../sql/key-question.ts';
import { connectionNamed } from '../store/connections.ts';
import { askLimits, type VerbParts } from './parts.ts';

const sampleRows = 5;
const keptMs = 60_000;

/**
 * Asks the warehouse about queries of people. A form asks about the same query at every step: what was found is kept
 * for a minute, so that the steps after the first are there at once. Failures are never kept.
 */
export class Examiner {
  private readonly parts: Pick<VerbParts, 'db' | 'connections' | 'now'>;
  private readonly kept = new Map<string, { readonly at: number; readonly answer: Promise<unknown> }>();

  constructor(parts: Pick<VerbParts, 'db' | 'connections' | 'now'>) {
    this.parts = parts;
  }

  /** Runs the query now, whatever is kept, and looks at what it gives. */
  async examine(source: string, sql: string, key: readonly string[] | undefined): Promise<Finding> {
    const asked = await this.opened(source, sql);
    this.kept.delete(asked.name);
    this.kept.delete(nameOf(asked, key));
    return this.found(asked, key);
  }

  /** What was found within the last minute; otherwise it is found out now. */
  async recall(source: string, sql: string, key: readonly string[] | undefined): Promise<Finding> {
    return this.found(await this.opened(source, sql), key);
  }

  /** The columns of a query: as found within the last minute, or as the warehouse describes them. */
  async columns(source: string, sql: string): Promise<readonly Column[]> {
    const asked = await this.opened(source, sql);
    return this.fresh<Finding>(asked.name) === undefined
      ? this.keep(`columns ${asked.name}`, () => asked.source.describe(asked.sql, askLimits))
      : (await this.found(asked, undefined)).columns;
  }

  /** The columns of a query as they are now. */
  async describe(source: string, sql: string): Promise<readonly Column[]> {
    const asked = await this.opened(source, sql);
    return asked.source.describe(sql, askLimits);
  }

  private async found(asked: Asked, key: readonly string[] | undefined): Promise<Finding> {
    const finding = await this.keep(asked.name, () => look(asked));
    if (key === undefined || key.length === 0) {
      return finding;
    }
    const about = await this.keep(nameOf(asked, key), () => keyWarnings(asked, key));
    return { ...finding, warnings: [...finding.warnings, ...about] };
  }

  /** Proves that the query is one SELECT and opens its source. The name changes when the connection does. */
  private async opened(sourceName: string, sql: string): Promise<Asked> {
    const record = await connectionNamed(this.parts.db, 'source', sourceName);
    const source = await this.parts.connections.source(record);
    await proveSelect(sql, source.dialect);
    const name = JSON.stringify([record.id, record.config, record.secrets, sql]);
    return { source, sql, name };
  }

  /** The kept answer, or a new one, which is kept unless it fails. Whoever asks meanwhile waits for the same. */
  private keep<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const kept = this.fresh<T>(name);
    if (kept !== undefined) {
      return kept;
    }
    const entry = { at: this.parts.now().getTime(), answer: ask() };
    this.kept.set(name, entry);
    entry.answer.catch(() => {
      if (this.kept.get(name) === entry) {
        this.kept.delete(name);
      }
    });
    return entry.answer;
  }

  private fresh<T>(name: string): Promise<T> | undefined {
    const oldest = this.parts.now().getTime() - keptMs;
    for (const [other, { at }] of this.kept) {
      if (at < oldest) {
        this.kept.delete(other);
      }
    }
    return this.kept.get(name)?.answer as Promise<T> | undefined;
  }
}

/** A proven query on an open source; the name tells it from every other. */
interface Asked {
  readonly source: Source;
  readonly sql: string;
  readonly name: string;
}

function nameOf(asked: Asked, key: readonly string[] | undefined): string {
  return `${JSON.stringify(key)} ${asked.name}`;
}

async function look({ source, sql }: Asked): Promise<Finding> {
  const columns = await source.describe(sql, askLimits);
  const [sample, rows, suggestedKey, cost] = await Promise.all([
    source.preview(sql, sampleRows, askLimits),
    source.count(sql, askLimits),
    source.suggestKey(sql, askLimits),
    source.costOf?.(sql, askLimits),
  ]);
  const warnings = rows === 0 ? ['The query gives no rows just now. That is fine if rows appear later.'] : [];
  return { columns, sample, rows, suggestedKey, cost, warnings };
}

/** Sentences about rows that a key would leave out. Left unsaid when the question takes too long. */
async function keyWarnings({ source, sql }: Asked, key: readonly string[]): Promise<readonly string[]> {
  try {
    const { rows } = await source.preview(keyQuestion(source.dialect, sql, key), 1, askLimits);
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
