import { expect } from 'vitest';
import type { Limits, Query } from '../../engine/contracts/source.ts';
import {
  bytesOf,
  limits,
  openSource,
  readAll,
  refusal,
  type SourceStage,
  waysToAsk,
} from './source-house.ts';
import type { Point } from './source-values.ts';

/** Many long rows, more than any buffer on the way holds: about this many KB. */
function much({ words }: SourceStage, kilobytes: number): Query {
  const sql = `SELECT i, ${words.long(1000)} AS x FROM (${words.series(kilobytes)}) AS s`;
  return { sql, key: ['i'], columns: ['i', 'x'] };
}

/** Asks until the warehouse says what we look for; a loop over its own answers, no fixed time. */
async function until(
  { house }: SourceStage,
  mark: string,
  holds: (running: number) => boolean,
): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (let n = await house.running(mark); !holds(n); n = await house.running(mark)) {
    expect(Date.now(), `${n} with ${mark} are running`).toBeLessThan(deadline);
  }
}

const stopping: readonly Point[] = [
  {
    key: 'timeout',
    title: 'stops a slow query there when its time is over, and names the limit',
    test: async (stage) => {
      const { source, words } = stage;

      const error = await refusal(source.preview(words.slow('mark_late'), 1, { timeoutMs: 1000 }));

      expect(error).toMatchObject({ code: 'SQL_TIMEOUT', message: expect.stringContaining('1 second') });
      await until(stage, 'mark_late', (n) => n === 0);
      expect(await source.count('SELECT 1 AS k', limits)).toBe(1);
    },
  },
  {
    key: 'signal',
    title: 'stops a query there when whoever asked gives up',
    test: async (stage) => {
      const { source, words } = stage;
      const query = (sql: string): Query => ({ sql, key: ['k'], columns: ['k'] });
      const ways: readonly (readonly [string, (sql: string, limits: Limits) => Promise<unknown>])[] = [
        ['mark_preview', (sql, given) => source.preview(sql, 1, given)],
        ['mark_count', (sql, given) => source.count(sql, given)],
        ['mark_read', (sql, given) => source.read(query(sql), given).then(bytesOf)],
      ];
      for (const [mark, ask] of ways) {
        const abort = new AbortController();
        const refused = refusal(ask(words.slow(mark), { ...limits, signal: abort.signal }));
        await until(stage, mark, (n) => n > 0);

        abort.abort();

        expect((await refused).code, mark).toBe('CANCELED');
        await until(stage, mark, (n) => n === 0);
      }
    },
  },
  {
    key: 'signal before',
    title: 'does not begin for who has given up already',
    test: async ({ source }) => {
      const gone = { ...limits, signal: AbortSignal.abort() };

      expect((await refusal(source.count('SELECT 1 AS k', gone))).code).toBe('CANCELED');
      const query = { sql: 'SELECT 1 AS k', key: ['k'], columns: ['k'] };
      expect((await refusal(source.read(query, gone).then(bytesOf))).code).toBe('CANCELED');
    },
  },
  {
    key: 'broken off',
    title: 'ends a query there when its reading is broken off, before or after the first piece',
    test: async (stage) => {
      const { source } = stage;
      for (const pieces of [0, 1]) {
        const mark = `mark_off_${pieces}`;
        const query = much(stage, 30_000);
        const reading = await source.read({ ...query, sql: `/* ${mark} */ ${query.sql}` }, limits);
        const lines = reading.lines[Symbol.asyncIterator]();
        for (let n = 0; n < pieces; n += 1) {
          expect((await lines.next()).done).toBe(false);
        }

        await lines.return?.();

        await until(stage, mark, (n) => n === 0);
        expect((await lines.next()).done).toBe(true);
      }
    },
  },
  {
    key: 'broken off often',
    title: 'has a connection left after any number of readings that were broken off',
    test: async (stage) => {
      for (let n = 0; n < 12; n += 1) {
        const reading = await stage.source.read(much(stage, 3000), limits);
        for await (const piece of reading.lines) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
      }

      expect(await stage.source.count('SELECT 1 AS k', limits)).toBe(1);
    },
  },
  {
    key: 'slow reader',
    title: 'takes little memory for much data, however slow its reader',
    test: async (stage) => {
      const { house, source } = stage;
      const memory = async (): Promise<number> => house.memoryBytes?.() ?? process.memoryUsage.rss();
      const kilobytes = 200_000;
      // Once before, so that what is loaded and kept once does not count.
      await bytesOf(await source.read(much(stage, 20_000), { timeoutMs: 60_000 }));
      const before = await memory();
      let most = before;
      let bytes = 0;
      let pieces = 0;

      const reading = await source.read(much(stage, kilobytes), { timeoutMs: 60_000 });
      for await (const piece of reading.lines) {
        bytes += piece.length;
        pieces += 1;
        for (let turn = 0; turn < (pieces < 50 ? 200 : 1); turn += 1) {
          await new Promise(setImmediate);
        }
        most = Math.max(most, pieces % 50 === 0 ? await memory() : 0);
      }

      const digits = Array.from({ length: kilobytes }, (_, i) => String(i + 1).length).reduce(
        (a, b) => a + b,
      );
      expect(bytes).toBe(kilobytes * 1002 + digits);
      expect((most - before) / 1e6).toBeLessThan(stage.harness.memoryMb ?? 100);
    },
  },
];

const breaking: readonly Point[] = [
  {
    key: 'error while running',
    title: 'fails a reading whose query fails in the middle',
    test: async ({ source, words }) => {
      const sql = `SELECT i, ${words.failing} AS x FROM (${words.series(100_000)}) AS s`;

      const error = await refusal(
        source.read({ sql, key: ['i'], columns: ['i', 'x'] }, limits).then(bytesOf),
      );

      expect(error.code).toBe('SQL_FAILED');
      expect(await source.count('SELECT 1 AS k', limits)).toBe(1);
    },
  },
  {
    key: 'interrupted',
    title: 'fails a reading that is interrupted in the middle, as what may pass',
    test: async (stage) => {
      const { house, harness } = stage;
      const { interrupted } = house;
      const { source, close } = await openSource(harness, house, interrupted?.config);
      const reading = await source.read(much(stage, 30_000), limits);
      let pieces = 0;
      const reads = async (): Promise<void> => {
        for await (const piece of reading.lines) {
          pieces += piece.length > 0 ? 1 : 0;
          if (pieces === 3) {
            await interrupted?.strike();
          }
        }
      };

      expect((await refusal(reads())).code).toBe('UNAVAILABLE');
      expect(pieces).toBeGreaterThanOrEqual(3);
      await close();
    },
  },
  {
    key: 'cut at any byte',
    title: 'never takes a part for the whole, at whatever byte the connection is cut',
    test: async (stage) => {
      const { cut } = stage.house;
      const { source, close } = await openSource(stage.harness, stage.house, cut?.config);
      const query = { sql: stage.words.series(40), key: ['i'], columns: ['i'] };
      const whole = (await readAll(source, query)).rows;
      await readAll(source, query);
      cut?.after(Number.POSITIVE_INFINITY);
      await readAll(source, query);
      const bytes = cut?.came ?? 0;
      expect(bytes).toBeGreaterThan(80);
      const reached = new Set<string>();

      for (let at = 0; at < bytes; at += at < bytes - 400 ? 97 : 4) {
        cut?.after(at);
        const end = await source
          .read(query, limits)
          .then(bytesOf)
          .then(
            (read) => read.toString(),
            (error: { code: string }) => error.code,
          );
        cut?.after(Number.POSITIVE_INFINITY);
        reached.add(end);
        // The connections that were cut are gone by the next one.
        await readAll(source, query).catch(() => undefined);
      }

      const all = `${whole.map(([i]) => i).join('\n')}\n`;
      expect([...reached].filter((end) => end !== all && end !== 'UNAVAILABLE')).toEqual([]);
      expect([...reached]).toContain('UNAVAILABLE');
      await close();
    },
  },
];

/** Statements that write in most dialects; some are wrong in this one or that, and none may get through. */
const attacksOn = (table: string, pwned: string): readonly string[] => [
  `INSERT INTO ${table} VALUES (99)`,
  `UPDATE ${table} SET k = 0`,
  `DELETE FROM ${table}`,
  `TRUNCATE TABLE ${table}`,
  `DROP TABLE ${table}`,
  `ALTER TABLE ${table} ADD COLUMN x INT`,
  `CREATE TABLE ${pwned} (k INT)`,
  `CREATE TABLE ${pwned} AS SELECT 1 AS k`,
  `CREATE VIEW ${pwned} AS SELECT 1 AS k`,
  `SELECT * INTO ${pwned} FROM ${table}`,
  `MERGE INTO ${table} t USING (SELECT 1 AS k) s ON t.k = s.k WHEN MATCHED THEN DELETE`,
  `WITH d AS (DELETE FROM ${table} RETURNING k) SELECT * FROM d`,
  `WITH d AS (INSERT INTO ${table} VALUES (99) RETURNING k) SELECT * FROM d`,
  `EXPLAIN ANALYZE DELETE FROM ${table}`,
  `SELECT 1 AS k; DROP TABLE ${table}`,
  `SELECT 1 AS k;\n-- \nDROP TABLE ${table};`,
  `COMMIT; DROP TABLE ${table}`,
  `BEGIN; DROP TABLE ${table}; COMMIT`,
  `SELECT 1 AS k) x; DROP TABLE ${table}; SELECT * FROM (SELECT 1 AS k`,
  `SELECT 1 AS k) AS q LIMIT 0; COMMIT; DROP TABLE ${table}; SELECT * FROM (SELECT 1 AS k`,
  `SELECT 1 AS k) AS q; CREATE TABLE ${pwned} (k INT); --`,
  `SELECT 1 AS k\n) AS q; DROP TABLE ${table}; /*`,
  `SELECT 1 AS k)) TO STDOUT; DROP TABLE ${table}; --`,
];

const attacking: Point = {
  key: 'attacks',
  title: 'lets no statement through that writes, however it is dressed up',
  test: async ({ harness, house, make, source, words }) => {
    const table = await make({ name: 'victim', columns: [['k', 'integer']], rows: [['1'], ['2'], ['3']] });
    const attacks = [...attacksOn(table, words.table('pwned')), ...(harness.attacks?.(table) ?? [])];
    for (const sql of attacks) {
      for (const [name, ask] of waysToAsk(source, sql)) {
        const { code } = await refusal(ask()).catch((reason: unknown) => {
          throw new Error(`${name} of ${sql}`, { cause: reason });
        });
        expect(code, `${name} of ${sql}`).toMatch(/^(SQL_UNSAFE|SQL_FAILED|PERMISSION_DENIED)$/);
      }
    }

    expect(await source.count(`SELECT k FROM ${table}`, limits)).toBe(3);
    expect(await source.tables('pwned')).toEqual([]);
    expect((await house.traces?.()) ?? []).toEqual([]);
  },
};

const calling: Point = {
  key: 'calls',
  title: 'lets no function write that a SELECT calls',
  test: async ({ harness, house, make, source }) => {
    const table = await make({ name: 'called', columns: [['k', 'integer']], rows: [['1'], ['2'], ['3']] });
    for (const sql of harness.calls?.(table) ?? []) {
      expect((await refusal(source.preview(sql, 5, limits))).code, sql).toMatch(/^(SQL|PERMISSION)_/);
      const read = source.read({ sql, key: ['k'], columns: ['k'] }, limits).then(bytesOf);
      expect((await refusal(read)).code, sql).toMatch(/^(SQL|PERMISSION)_/);
    }

    expect(await source.count(`SELECT k FROM ${table}`, limits)).toBe(3);
    expect((await house.traces?.()) ?? []).toEqual([]);
  },
};

export const wallPoints: readonly Point[] = [...stopping, ...breaking, attacking, calling];
