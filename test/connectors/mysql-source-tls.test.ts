import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loginOf } from '../../connectors/mysql/config.ts';
import { mysql } from '../../connectors/mysql/index.ts';
import { optionsOf } from '../../connectors/mysql/options.ts';
import type { Source } from '../../engine/contracts/source.ts';
import { partOf } from '../contracts/works.ts';
import { type Opened, openFor } from '../support/connect.ts';
import { type CutWay, startCutWay } from '../support/cut.ts';
import { hasMariadb, type Mariadb, startMariadb } from '../support/mariadb.ts';
import { limits, textOf } from '../support/mysql-shop.ts';

describe.skipIf(!hasMariadb)('over TLS, a real MariaDB server (skipped where there is no mariadbd)', () => {
  let home: string;
  let server: Mariadb;
  let way: CutWay;
  let opened: Opened;
  let source: Source;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'activate-tls-'));
    const [key, certificate] = [join(home, 'key.pem'), join(home, 'cert.pem')];
    const how = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
    spawnSync('openssl', [...how, '-keyout', key, '-out', certificate]);
    server = await startMariadb([`--ssl-key=${key}`, `--ssl-cert=${certificate}`]);
    way = await startCutWay(server.port);
    const url = server.adminUrl.replace(String(server.port), String(way.port));
    opened = await openFor(mysql, { url, tls: 'require' });
    source = partOf(opened.connection, 'source');
  }, 60_000);

  afterAll(async () => {
    await opened?.close();
    await way?.close();
    await server?.stop();
    rmSync(home, { recursive: true });
  });

  const query = {
    sql: "select seq as id, repeat('x', 500) as x from seq_1_to_100000",
    key: ['id'],
    columns: ['x'],
  };

  it('rows come whole, and the connection is encrypted', async () => {
    const { rows } = await source.preview(
      "select variable_value as v from information_schema.session_status where variable_name = 'ssl_cipher'",
      1,
      limits,
    );

    expect(rows[0]?.[0]).toMatch(/^TLS_/);
    expect((await textOf(await source.read(query, limits))).length).toBe(100_000 * 502 + 488_895);
  });

  it('a reading that is broken off ends at once', async () => {
    const reading = await source.read(query, limits);
    const iterator = reading.lines[Symbol.asyncIterator]();
    await iterator.next();

    await iterator.return?.();

    expect((await iterator.next()).done).toBe(true);
    expect(await source.count('select 1', limits)).toBe(1);
  });

  it('a connection that is cut is a failure', async () => {
    const reading = await source.read(query, limits);

    way.after(5_000_000);

    await expect(textOf(reading)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    way.after(Number.POSITIVE_INFINITY);
  });
});

describe('encryption', () => {
  it.each([
    ['verify', { rejectUnauthorized: true, verifyIdentity: true }],
    ['require', { rejectUnauthorized: false, verifyIdentity: false }],
    ['off', undefined],
  ] as const)('that is %s asks for as much', (tls, ssl) => {
    const login = loginOf({
      url: 'mysql://u:p@db.example.com/d',
      host: undefined,
      port: undefined,
      database: undefined,
      user: undefined,
      password: undefined,
      tls,
    });

    expect(optionsOf(login, 'test').ssl).toEqual(ssl);
  });
});
