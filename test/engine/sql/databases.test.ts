import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import type { Dialect } from '../../../engine/contracts/source.ts';
import { proveSelect } from '../../../engine/sql/guard.ts';
import { hasMariadb, startMariadb } from '../../support/mariadb.ts';

/** A real database, and whether a text has an effect on it: it counts. Undefined when the text is not understood. */
interface Far {
  effect(sql: string): Promise<boolean | undefined>;
  close(): Promise<void>;
}

async function duckdb(): Promise<Far> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run('create sequence s');
  let before = 0;
  return {
    effect: async (sql) => {
      const understood = await connection.run(sql).then(
        () => true,
        () => false,
      );
      const reader = await connection.runAndReadAll("select nextval('s')");
      const now = Number(reader.getRows()[0]?.[0]);
      const effect = now !== before + 1;
      before = now;
      return understood || effect ? effect : undefined;
    },
    close: async () => instance.closeSync(),
  };
}

async function postgresql(): Promise<Far> {
  const client = new pg.Client(inject('postgresUrl'));
  await client.connect();
  await client.query('create temp sequence s');
  let before = 0;
  return {
    effect: async (sql) => {
      const understood = await client.query(sql).then(
        () => true,
        () => false,
      );
      const { rows } = await client.query("select nextval('s') as n");
      const now = Number(rows[0]?.n);
      const effect = now !== before + 1;
      before = now;
      return understood || effect ? effect : undefined;
    },
    close: () => client.end(),
  };
}

async function mysql(): Promise<Far> {
  const server = await startMariadb();
  const connection = await createConnection(server.adminUrl);
  await connection.query("set session sql_mode = 'STRICT_ALL_TABLES'");
  await connection.query('set @hit = 0');
  return {
    effect: async (sql) => {
      const understood = await connection.query(sql).then(
        () => true,
        () => false,
      );
      const [rows] = await connection.query('select @hit as hit');
      await connection.query('set @hit = 0');
      const effect = Number((rows as { hit: unknown }[])[0]?.hit) !== 0;
      return understood || effect ? effect : undefined;
    },
    close: async () => {
      await connection.end();
      await server.stop();
    },
  };
}

const signs = ["'", '"', '\\', '/*', '*/', '--', '-- ', '\n', '\r', ', 1', ", 'a'", ' + 1 ', ' '];
const postgresSigns = [...signs, '$$', '$a$', "E'", 'E', ';'];
const hit = ", nextval('s')";

const fars: readonly (readonly [Dialect, () => Promise<Far>, readonly string[], readonly string[]])[] = [
  ['duckdb', duckdb, postgresSigns, [hit, `; select 1${hit}`]],
  ['postgresql', postgresql, [...postgresSigns, 'U&'], [hit, `; select 1${hit}`]],
  [
    'mysql',
    mysql,
    [...signs, '`', '#', '/*!', '/*M!', '/*!99999 ', '/*+', '--\t', 'N', '_utf8mb4', '\\N'],
    [', @hit := 1', ' into @hit', ', (@hit:=1)'],
  ],
];

describe.each(fars.filter(([dialect]) => dialect !== 'mysql' || hasMariadb))(
  'a real %s',
  (dialect, start, pieces, attacks) => {
    it('does nothing for a text that passes, however it is quoted', { timeout: 120_000 }, async () => {
      const far = await start();
      const part = fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...pieces) },
        { weight: 1, arbitrary: fc.constantFrom(...attacks) },
      );
      let [passed, acted] = [0, 0];
      await fc.assert(
        fc.asyncProperty(fc.array(part, { maxLength: 9 }), async (parts) => {
          const sql = `select 1${parts.join('')}`;
          const safe = await proveSelect(sql, dialect).then(
            () => true,
            () => false,
          );
          const effect = await far.effect(sql);
          passed += safe && effect !== undefined ? 1 : 0;
          acted += effect === true ? 1 : 0;
          expect(safe && effect === true).toBe(false);
        }),
        { numRuns: 2000 },
      );
      await far.close();
      // Both kinds were among them.
      expect(passed).toBeGreaterThan(100);
      expect(acted).toBeGreaterThan(50);
    });
  },
);
