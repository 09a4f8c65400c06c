import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { refusal as azureRefusal, startFakeAzure } from '../fakes/azure-blob.ts';
import { refusal as gcsRefusal, startFakeGcs } from '../fakes/gcs.ts';
import { refusal, startFakeS3 } from '../fakes/s3.ts';
import { hasSshd, startSshd } from '../support/sshd.ts';
import { at } from './addresses.ts';
import { overHttp } from './far-sides.ts';
import { startReceiver, toReceiver } from './receiver.ts';
import { scenario } from './scenario.ts';
import type { FarSide, Play } from './stage.ts';

const play: Play = {
  framework: 'files',
  word: 'written to files',
  changes: { 'written to files': 4 },
  wanted: `select id::text, name, email from accounts where not gone`,
};

const settings = (format: string): string => `
content: changes
path: accounts-{{ run }}-{{ part }}.${format}
format: ${format}
columns: [id, name, email]
split_rows: 7
`;

type Row = Readonly<Record<string, string>>;

function csvRows(text: string): readonly Row[] {
  expect(text.endsWith('\n')).toBe(true);
  const [head = '', ...lines] = text.trimEnd().split(/\r?\n/);
  return lines.map((line) => {
    const values = line.split(',');
    return Object.fromEntries(head.split(',').map((name, at) => [name, values[at] ?? '']));
  });
}

function jsonRows(text: string): readonly Row[] {
  expect(text.endsWith('\n')).toBe(true);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const row = JSON.parse(line) as Record<string, unknown>;
      return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]));
    });
}

/** What one knows who has taken in every file in the order of runs and parts. */
function toldBy(
  files: ReadonlyMap<string, Buffer>,
  read: (bytes: Buffer) => readonly Row[],
): readonly unknown[] {
  const order = (name: string): number => {
    const [, run, part] = /-(\d+)-(\d+)\./.exec(name) ?? [];
    return Number(run) * 1000 + Number(part);
  };
  const known = new Map<string, unknown>();
  for (const [, bytes] of [...files].sort(([a], [b]) => order(a) - order(b))) {
    for (const { id = '', name, email, _change } of read(bytes)) {
      if (_change === 'removed') {
        known.delete(id);
      } else {
        known.set(id, { id, name, email });
      }
    }
  }
  return [...known.values()];
}

/** Remembers each file that was seen, and expects it to stay as it is: complete from the first, never written over. */
function watched(files: () => ReadonlyMap<string, Buffer>): () => void {
  const seen = new Map<string, Buffer>();
  return () => {
    const now = files();
    for (const [name, bytes] of seen) {
      expect(now.get(name)?.equals(bytes), name).toBe(true);
    }
    for (const [name, bytes] of now) {
      seen.set(name, bytes);
    }
  };
}

async function s3(): Promise<FarSide> {
  const fake = await startFakeS3();
  const files = (): ReadonlyMap<string, Buffer> =>
    new Map([...fake.state.objects].map(([name, { bytes }]) => [name, bytes]));
  const read = (bytes: Buffer): readonly Row[] => jsonRows(gunzipSync(bytes).toString());
  const unchanged = watched(files);
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { bucket: 'orders', accessKeyId: fake.state.accessKeyId, baseUrl: at(fake.url, port) },
      secrets: { secretAccessKey: 'secret-secret-secret' },
    }),
    settings: `${settings('ndjson').trimEnd()}\ncompression: gzip\n`,
    there: () => {
      expect(fake.state.uploads.size).toBe(0);
      return toldBy(files(), read);
    },
    inspect: unchanged,
    refusal: {
      begin: () => fake.always(refusal(403, 'AccessDenied')),
      end: () => fake.heal(),
      reason: /may|allow|right|access/i,
    },
  };
}

async function azureBlob(): Promise<FarSide> {
  const fake = await startFakeAzure();
  const { account, container, key } = fake.state;
  const files = (): ReadonlyMap<string, Buffer> =>
    new Map([...fake.state.blobs].map(([name, { bytes }]) => [name, bytes]));
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { account, container, baseUrl: at(fake.url, port) },
      secrets: { accountKey: key },
    }),
    settings: settings('csv'),
    there: () => toldBy(files(), (bytes) => csvRows(bytes.toString())),
    inspect: watched(files),
    refusal: {
      begin: () => fake.always(azureRefusal(403, 'AuthorizationPermissionMismatch')),
      end: () => fake.heal(),
      reason: /allow/i,
    },
  };
}

async function gcs(): Promise<FarSide> {
  const fake = await startFakeGcs();
  const { bucket, accessId, secret } = fake.state;
  const files = (): ReadonlyMap<string, Buffer> =>
    new Map([...fake.state.objects].map(([name, { bytes }]) => [name, bytes]));
  return {
    ...overHttp(fake),
    connection: (port) => ({
      config: { bucket, accessId, baseUrl: at(fake.url, port) },
      secrets: { secret },
    }),
    settings: settings('ndjson'),
    there: () => toldBy(files(), (bytes) => jsonRows(bytes.toString())),
    inspect: watched(files),
    refusal: {
      begin: () => fake.always(gcsRefusal(403, 'AccessDenied')),
      end: () => fake.heal(),
      reason: /allow/i,
    },
  };
}

async function sftp(): Promise<FarSide> {
  const sshd = await startSshd();
  const all = (): readonly string[] => readdirSync(sshd.folder);
  const files = (): ReadonlyMap<string, Buffer> =>
    new Map(
      all()
        .filter((name) => !name.startsWith('.'))
        .map((name) => [name, readFileSync(join(sshd.folder, name))]),
    );
  const elsewhere = `${sshd.folder}-away`;
  return {
    port: sshd.port,
    connection: (port) => ({
      config: {
        host: '127.0.0.1',
        port: String(port),
        user: sshd.user,
        folder: sshd.folder,
        hostKey: sshd.fingerprint,
      },
      secrets: { privateKey: sshd.privateKey },
    }),
    settings: settings('csv'),
    there: () => {
      expect(all().filter((name) => name.startsWith('.'))).toEqual([]);
      return toldBy(files(), (bytes) => csvRows(bytes.toString()));
    },
    writes: () => sshd.said().match(/open "[^"]*" flags (?:\w+,)*WRITE/g)?.length ?? 0,
    inspect: watched(files),
    refusal: {
      begin: () => renameSync(sshd.folder, elsewhere),
      end: () => renameSync(elsewhere, sshd.folder),
      reason: /folder|there/i,
    },
    close: sshd.stop,
  };
}

async function webhook(): Promise<FarSide> {
  const fake = await startReceiver(() => ({}));
  const { files } = fake.state;
  return {
    ...toReceiver(fake),
    settings: settings('csv'),
    there: () => toldBy(files, (bytes) => csvRows(bytes.toString())),
    inspect: watched(() => files),
    refusal: {
      begin: () => fake.always({ status: 403 }),
      end: () => fake.heal(),
      reason: /403|not let|allow|right/i,
    },
  };
}

scenario(play, { connector: 'azure-blob', start: azureBlob });
scenario(play, { connector: 'gcs', start: gcs });
scenario(play, { connector: 's3', start: s3 });
if (hasSshd) {
  scenario(play, { connector: 'sftp', start: sftp, sigkill: true });
}
scenario(play, { connector: 'webhook', start: webhook });
