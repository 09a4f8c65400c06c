import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dispatchOf } from '../../bot/commands.ts';
import type { Reply } from '../../engine/contracts/chat.ts';
import { type Installation, install } from '../bot/installation.ts';
import { hasMariadb, type Mariadb, startMariadb } from '../support/mariadb.ts';

/** A warehouse with nothing in it, and what the form to connect it is filled with. */
interface Stand {
  readonly kind: string;
  readonly table: string;
  ask(statement: string): Promise<unknown>;
  readonly form: Readonly<Record<string, string>>;
}

const origin = {
  person: { kind: 'person', platform: 'cli', id: 'mia' },
  conversation: { kind: 'conversation', platform: 'cli', id: 'terminal' },
} as const;

describe('an alert over a source that runs here', () => {
  let folder: string;
  let maria: Mariadb | undefined;
  let bot: Installation;

  beforeAll(async () => {
    maria = hasMariadb ? await startMariadb() : undefined;
  }, 60_000);
  afterAll(() => maria?.stop());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'activate-source-'));
    bot = await install({
      ACTIVATE_ADMINS: 'ada@northwind.example',
      ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
      ALLOWED_FOLDER: folder,
    });
  });
  afterEach(async () => {
    await bot.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const stands: Readonly<Record<string, () => Stand>> = {
    PostgreSQL: () => ({
      kind: 'postgres',
      table: 'public.accounts',
      ask: (statement) => bot.warehouse.query(statement),
      form: { postgres_url: bot.warehouseUrl },
    }),
    DuckDB: () => ({
      kind: 'duckdb',
      table: 'main.accounts',
      ask: async (statement) => {
        const instance = await DuckDBInstance.create(join(folder, 'warehouse.duckdb'));
        const connection = await instance.connect();
        await connection.run(statement);
        connection.closeSync();
        instance.closeSync();
      },
      form: { duckdb_path: 'warehouse.duckdb' },
    }),
    MariaDB: () => ({
      kind: 'mysql',
      table: 'shop.accounts',
      ask: async (statement) => {
        const connection = await createConnection(maria?.adminUrl ?? '');
        await connection.query('create database if not exists shop character set utf8mb4');
        await connection.query(
          statement.replaceAll('"', '`').replaceAll(/\bshop\.|\baccounts\b/g, 'shop.accounts'),
        );
        await connection.end();
      },
      form: { mysql_url: new URL('shop', maria?.adminUrl ?? 'mysql://127.0.0.1').href },
    }),
  };

  const say = (command: string, input: Readonly<Record<string, string>>): Promise<Reply> =>
    dispatchOf(bot.running.app).run({ command, input }, origin);

  const told = async (): Promise<readonly string[]> => {
    const rows = await bot.running.app.db.query<{ text: string }>(
      `select card->>'title' as text from local_messages where conversation_id = 'data-alerts' and card is not null order by id`,
    );
    return rows.map(({ text }) => text);
  };

  for (const [name, stand] of Object.entries(stands)) {
    const there = name !== 'MariaDB' || hasMariadb;
    it.skipIf(!there)(
      `is made by its forms over ${name}, and speaks of each new row once`,
      async () => {
        const { kind, table, ask, form } = stand();
        await ask('create table accounts (id int, "Country code" varchar(2), name varchar(40))');
        await ask(
          "insert into accounts values (1, 'de', 'Globex'), (2, 'DE', 'Initech'), (3, null, 'Hooli')",
        );

        expect(await say('connect', { name: 'shop', kind, use: 'source', ...form })).toMatchObject({
          kind: 'card',
        });
        const { models, runs } = bot.running.app.services;
        const sql = `select * from ${table}`;
        const byCountry = await models.recall('shop', sql, ['Country code']);
        const byId = await models.recall('shop', sql, ['id']);
        const made = await say('new-alert', {
          source: 'shop',
          table,
          key: 'id',
          trigger: 'added',
          title: '{{ name }}',
          message: '{{ name }}',
          to: 'local:data-alerts',
          name: 'new-accounts',
          mode: 'message',
          schedule: 'every day at 03:00',
        });
        await bot.ranOnce('new-accounts');
        await ask("insert into accounts values (4, 'fr', 'Umbrella')");
        await say('run', { name: 'new-accounts' });
        const [run] = await runs.recent('new-accounts', 1);
        await runs.finished(run?.id ?? 0, 20_000);

        expect(byCountry.warnings.join()).toContain('1 of 3 rows have no Country code');
        expect(byCountry.warnings.join()).not.toContain('not unique');
        expect(byId.warnings).toEqual([]);
        expect(made).toMatchObject({ kind: 'card' });
        expect(await told()).toEqual(['Umbrella']);
      },
      60_000,
    );
  }
});
