import { type Connection, createConnection } from 'mysql2/promise';
import { expect } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import type { Limits, Reading, Source } from '../../engine/contracts/source.ts';
import { partOf } from '../contracts/works.ts';
import { type Opened, openFor } from './connect.ts';
import { type Mariadb, startMariadb } from './mariadb.ts';

/** A server of MariaDB with the database `shop`, and users who read it: `reader`, who may nothing else, and `careless`, who may do all. */
export interface Shop {
  readonly server: Mariadb;
  /** Of one who may do all. */
  readonly admin: Connection;
  /** As `reader` reads it. */
  readonly source: Source;
  ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  all(...statements: readonly string[]): Promise<void>;
  url(user: string, port?: number): string;
  withUser<T>(user: string, work: (source: Source, opened: Opened) => Promise<T>): Promise<T>;
  /** Waits until the server shows so many statements with this mark; a loop over its own view, no fixed time. */
  untilRunning(mark: string, count: number): Promise<void>;
  close(): Promise<void>;
}

export const limits: Limits = { timeoutMs: 20_000 };

/** All that a reading gives. */
export async function textOf(reading: Reading): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reading.lines) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

const tables = [
  'create database shop character set utf8mb4 collate utf8mb4_general_ci',
  'use shop',
  'create table accounts (id bigint primary key, name varchar(50) not null, score decimal(10,2))',
  "insert into accounts select seq, concat('Account ', seq), seq * 1.5 from seq_1_to_50",
  'create table memberships (account_id int, person varchar(20), role varchar(20), primary key (account_id, person))',
  "insert into memberships values (1, 'a', 'x'), (1, 'b', 'x'), (2, 'a', 'x')",
  'create table `odd.``table --` (`a "b" c;--` int, `Ünï` varchar(9))',
  "insert into `odd.``table --` values (1, 'x')",
  'create view lives as select * from accounts',
  "create user reader identified by 'pw'",
  'grant select, show view on shop.* to reader',
  "create user careless identified by 'pw'",
  'grant all privileges on *.* to careless with grant option',
];

export async function startShop(): Promise<Shop> {
  const server = await startMariadb();
  const admin = await createConnection({ uri: server.adminUrl, charset: 'utf8mb4' });
  const ask: Shop['ask'] = async (sql) => {
    const [rows] = await admin.query(sql);
    return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
  };
  const all: Shop['all'] = async (...statements) => {
    for (const statement of statements) {
      await admin.query(statement);
    }
  };
  const url: Shop['url'] = (user, port = server.port) => `mysql://${user}:pw@127.0.0.1:${port}/shop`;
  await all(...tables);
  const opened = await openFor(mysql, { url: url('reader') });
  return {
    server,
    admin,
    source: partOf(opened.connection, 'source'),
    ask,
    all,
    url,
    withUser: async (user, work) => {
      const other = await openFor(mysql, { url: url(user) });
      try {
        return await work(partOf(other.connection, 'source'), other);
      } finally {
        await other.close();
      }
    },
    untilRunning: async (mark, count) => {
      const deadline = Date.now() + 15_000;
      for (;;) {
        const rows = await ask(
          `select id from information_schema.processlist where command = 'Query' and info like '%${mark}%' and id <> connection_id()`,
        );
        if (rows.length === count) {
          return;
        }
        expect(Date.now(), `waiting for ${count} of ${mark}`).toBeLessThan(deadline);
      }
    },
    close: async () => {
      await opened.close();
      await admin.end();
      await server.stop();
    },
  };
}
