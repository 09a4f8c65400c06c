import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { s3 } from '../../connectors/s3/index.ts';
import { partBytes } from '../../connectors/s3/upload.ts';
import type { Files, NewFile } from '../../engine/contracts/destination.ts';
import { check } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { carryOut, type FakeS3, refusal, startFakeS3 } from '../fakes/s3.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const mebibyte = 1024 * 1024;

function configFor(url: string): Raw {
  return {
    bucket: 'orders',
    prefix: '/out/',
    accessKeyId: 'AKIATESTTESTTEST',
    secretAccessKey: 'secret-secret-secret',
    sessionToken: 'token-token-token',
    baseUrl: url,
  };
}

const file: NewFile = { path: 'day/1.csv', contentType: 'text/csv', mark: 'mark-1', overwrite: false };

function bodyOf(...pieces: readonly (string | Buffer)[]): () => AsyncIterable<Uint8Array> {
  return async function* () {
    for (const piece of pieces) {
      yield Buffer.from(piece);
    }
  };
}

/** So many MiB that differ from each other, a MiB at a time. */
function large(mebibytes: number, atEach: (made: number) => void = () => undefined) {
  return async function* (): AsyncGenerator<Uint8Array> {
    for (let made = 1; made <= mebibytes; made += 1) {
      atEach(made);
      yield Buffer.alloc(mebibyte, made);
    }
  };
}

let fake: FakeS3;
let opened: Opened;
let files: Files;

beforeEach(async () => {
  fake = await startFakeS3();
  opened = await openFor(s3, configFor(fake.url));
  files = opened.connection.files as Files;
});

afterEach(async () => {
  await opened.close();
  await fake.close();
});

describe('S3: one file', () => {
  it('is written below the prefix, with its type and our mark', async () => {
    const stored = await files.put(file, bodyOf('id\r\n', '1\r\n'), call());

    expect(stored).toEqual({ bytes: 7, mark: 'mark-1' });
    expect(fake.state.objects.get('out/day/1.csv')).toMatchObject({
      bytes: Buffer.from('id\r\n1\r\n'),
      type: 'text/csv',
      mark: 'mark-1',
    });
    expect(await files.stat(file.path)).toEqual({ bytes: 7, mark: 'mark-1' });
    expect(files.locate(file.path)).toBe('s3://orders/out/day/1.csv');
  });

  it('can be one of no bytes', async () => {
    expect(await files.put(file, bodyOf(), call())).toEqual({ bytes: 0, mark: 'mark-1' });
    expect(await files.stat(file.path)).toEqual({ bytes: 0, mark: 'mark-1' });
  });

  it('sends none of the checksums that older stores refuse', async () => {
    await files.put(file, large(12), call());

    const names = fake.requests.flatMap(({ headers }) => Object.keys(headers));
    expect(names.filter((name) => /checksum|trailer|crc/.test(name))).toEqual([]);
  });

  it('that a far side does not take is looked at no further than is useful', async () => {
    fake.always(refusal(403, 'AccessDenied'));

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fix: expect.stringContaining('s3:PutObject'),
    });
    expect(fake.requests.map(({ method }) => method)).toEqual(['HEAD', 'PUT']);
  });
});

describe('S3: only once', () => {
  it('refuses a name that is taken by another file, before anything is sent', async () => {
    await files.put(file, bodyOf('first'), call());

    const second = files.put({ ...file, mark: 'mark-2' }, bodyOf('second'), call());

    await expect(second).rejects.toMatchObject({ code: 'EXISTS' });
    expect(fake.to('PUT /:bucket/*')).toHaveLength(1);
    expect(fake.state.objects.get('out/day/1.csv')?.bytes.toString()).toBe('first');
  });

  it('takes the file with our mark for an earlier attempt that got through (412, then HEAD)', async () => {
    // Its own answer is lost, and the package sends it once more by itself.
    fake.next(undefined, 'done-then-reset');

    expect(await files.put(file, bodyOf('x'), call())).toEqual({ bytes: 1, mark: 'mark-1' });
    expect(fake.requests.map(({ method }) => method)).toEqual(['HEAD', 'PUT', 'PUT', 'HEAD']);
  });

  it('writes nothing when an earlier attempt finished before its process died', async () => {
    await files.put(file, bodyOf('x'), call());
    let asked = 0;

    const again = await files.put(
      file,
      () => {
        asked += 1;
        return bodyOf('x')();
      },
      call({ again: true }),
    );

    expect(again).toEqual({ bytes: 1, mark: 'mark-1' });
    expect(asked).toBe(0);
  });

  it('notices who wrote the same name after we looked (412)', async () => {
    fake.next(undefined, (request) => {
      fake.state.objects.set('out/day/1.csv', { bytes: Buffer.from('theirs'), type: 'x', mark: 'theirs' });
      expect(request.headers['if-none-match']).toBe('*');
      return refusal(412, 'PreconditionFailed');
    });

    await expect(files.put(file, bodyOf('ours'), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(fake.state.objects.get('out/day/1.csv')?.bytes.toString()).toBe('theirs');
  });

  it('understands the 304 of an older MinIO as a refusal', async () => {
    fake.state.conditional = 'old';
    fake.next({ status: 404 });
    fake.state.objects.set('out/day/1.csv', { bytes: Buffer.from('theirs'), type: 'x', mark: 'theirs' });

    await expect(files.put(file, bodyOf('ours'), call())).rejects.toMatchObject({ code: 'EXISTS' });
  });

  it('tries a racing write again later (409)', async () => {
    fake.next(undefined, refusal(409, 'ConditionalRequestConflict'));

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('writes without the condition where the store knows none, having looked before', async () => {
    fake.state.conditional = 'refused';
    await files.put(file, bodyOf('x'), call());

    await expect(files.put({ ...file, mark: 'mark-2' }, bodyOf('y'), call())).rejects.toMatchObject({
      code: 'EXISTS',
    });
    expect(fake.state.objects.get('out/day/1.csv')?.bytes.toString()).toBe('x');
  });

  it('writes without the right to list, where a missing file is answered with 403', async () => {
    fake.state.mayList = false;

    await files.put(file, bodyOf('x'), call());

    await expect(files.put({ ...file, mark: 'mark-2' }, bodyOf('y'), call())).rejects.toMatchObject({
      code: 'EXISTS',
    });
    await expect(files.stat('other.csv')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('writes nothing that it may not replace, where it can not look and the store knows no condition', async () => {
    fake.state.conditional = 'refused';
    fake.state.mayList = false;

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fix: expect.stringContaining('s3:ListBucket'),
    });
    expect(fake.state.objects.size).toBe(0);
  });

  it('does not know what was done when answers stay away and nothing can be seen', async () => {
    fake.next(undefined, 'reset', 'reset');

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(fake.state.objects.size).toBe(0);
  });
});

describe('S3: large files', () => {
  it('go in parts, whole and in order', async () => {
    const stored = await files.put(file, large(70), call());

    const bytes = fake.state.objects.get('out/day/1.csv')?.bytes ?? Buffer.alloc(0);
    expect(stored).toEqual({ bytes: 70 * mebibyte, mark: 'mark-1' });
    expect(sha(bytes)).toBe(sha(Buffer.concat(await all(large(70)()))));
    expect(fake.state.objects.get('out/day/1.csv')).toMatchObject({ type: 'text/csv', mark: 'mark-1' });
    expect(fake.state.uploads.size).toBe(0);
    expect(fake.to('PUT /:bucket/*')).toHaveLength(9);
  });

  it('of exactly one part need no upload in parts, and of exactly two have no empty third', async () => {
    await files.put(file, large(8), call());
    expect(fake.state.uploadsBegun).toBe(0);

    await files.put({ ...file, path: 'two.csv' }, large(16), call());
    expect(fake.to('PUT /:bucket/*').filter(({ query }) => query.has('partNumber'))).toHaveLength(2);
  });

  it('are read no further than is being sent: memory stays flat', async () => {
    let made = 0;
    let most = 0;
    const reading = large(200, (now) => {
      made = now;
      const arrived = fake.to('PUT /:bucket/*').reduce((sum, { body }) => sum + body.length, 0) / mebibyte;
      most = Math.max(most, made - arrived);
    });

    await files.put(file, reading, call());

    expect(made).toBe(200);
    // Three parts under way and two read ahead, of 8 MiB each.
    expect(most).toBeLessThanOrEqual(5 * 8);
  });

  it('may be larger than 48 GiB: all parts of one size first, then larger ones', () => {
    let total = 0;
    for (let number = 1; number <= 10_000; number += 1) {
      total += partBytes(number);
    }

    expect(partBytes(1)).toBe(partBytes(5_000));
    expect(total / 1024 ** 3).toBeGreaterThan(350);
  });

  it('that break off at the source are abandoned, never completed', async () => {
    const broken = new Error('the cursor is gone');
    const reading = async function* () {
      yield* large(40)();
      throw broken;
    };

    await expect(files.put(file, reading, call())).rejects.toBe(broken);
    expect([fake.state.objects.size, fake.state.uploads.size, fake.state.uploadsBegun]).toEqual([0, 0, 1]);
    expect(fake.to('POST /:bucket/*').filter(({ query }) => query.has('uploadId'))).toEqual([]);
  });

  it('outlast more refusals in a row of one part than the package would by itself (503 SlowDown)', async () => {
    let left = 3;
    fake.always((request) => {
      if (request.query.get('partNumber') === '2' && left > 0) {
        left -= 1;
        return refusal(503, 'SlowDown');
      }
      return carryOut(request, fake.state);
    });

    await files.put(file, large(17), call());

    expect(left).toBe(0);
    expect(fake.state.objects.get('out/day/1.csv')?.bytes.length).toBe(17 * mebibyte);
  });

  it('are found finished when the answer to their last step got lost', async () => {
    // HEAD, begin, two parts, and then the completion.
    fake.next(undefined, undefined, undefined, undefined, 'done-then-reset');

    const stored = await files.put({ ...file, overwrite: true }, large(12), call());

    expect(stored).toEqual({ bytes: 12 * mebibyte, mark: 'mark-1' });
    expect(fake.to('POST /:bucket/*').filter(({ query }) => query.has('uploadId'))).toHaveLength(2);
    expect(fake.requests.at(-1)?.method).toBe('HEAD');
  });

  it('are completed once more when S3 says 200 and means an error', async () => {
    fake.next(undefined, undefined, undefined, undefined, {
      ...refusal(200, 'InternalError'),
    });

    const stored = await files.put(file, large(12), call());

    expect(stored.bytes).toBe(12 * mebibyte);
    expect(fake.state.objects.get('out/day/1.csv')?.bytes.length).toBe(12 * mebibyte);
  });

  it('whose upload somebody ended are tried again later', async () => {
    fake.next(undefined, undefined, undefined, undefined, (request) => {
      fake.state.uploads.clear();
      return refusal(404, 'NoSuchUpload', request.path);
    });

    await expect(files.put(file, large(12), call())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('that are taken by another at the last moment are abandoned', async () => {
    fake.next(undefined, undefined, undefined, undefined, () => {
      fake.state.objects.set('out/day/1.csv', { bytes: Buffer.from('theirs'), type: 'x', mark: 'theirs' });
      return refusal(412, 'PreconditionFailed');
    });

    await expect(files.put(file, large(12), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(fake.state.uploads.size).toBe(0);
  });

  it('stop with the signal, even while the source hangs, and leave no parts', async () => {
    const gone = new AbortController();
    const reason = new Error('stopped');
    const hanging = async function* (): AsyncGenerator<Uint8Array> {
      yield* large(17)();
      gone.abort(reason);
      await new Promise(() => undefined);
    };

    await expect(files.put(file, hanging, call({ signal: gone.signal }))).rejects.toBe(reason);
    expect([fake.state.objects.size, fake.state.uploads.size]).toEqual([0, 0]);
  });
});

describe('S3: a check', () => {
  it('leaves nothing behind', async () => {
    expect(await opened.connection.check('files')).toEqual([]);
    expect(fake.state.objects.size).toBe(0);
  });

  it('warns when the store does not refuse to replace a file', async () => {
    for (const how of ['ignored', 'refused'] as const) {
      fake.state.conditional = how;
      expect(await opened.connection.check('files')).toEqual([expect.stringContaining('If-None-Match')]);
    }
  });

  it('warns about rights that are missing and can be lived without', async () => {
    fake.state.mayList = false;
    fake.state.mayDelete = false;

    expect(await opened.connection.check('files')).toEqual([
      expect.stringContaining('s3:ListBucket'),
      expect.stringMatching(/^The small file out\/\.activate-check-\w+ stays there/),
    ]);
  });

  it('refuses keys that can not look at what they write', async () => {
    fake.state.mayRead = false;

    await expect(opened.connection.check('files')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it.each([
    ['InvalidAccessKeyId', 403, '', 'AUTH_REJECTED', 'accessKeyId'],
    ['SignatureDoesNotMatch', 403, '', 'AUTH_REJECTED', 'secretAccessKey'],
    ['ExpiredToken', 400, '', 'AUTH_REJECTED', 'sessionToken'],
    ['AccessDenied', 403, '', 'PERMISSION_DENIED', undefined],
    ['KMS.DisabledException', 400, '', 'PERMISSION_DENIED', undefined],
    ['NoSuchBucket', 404, '', 'CONFIG_INVALID', 'bucket'],
    ['PermanentRedirect', 301, '', 'CONFIG_INVALID', 'region'],
    ['AuthorizationHeaderMalformed', 400, '<Region>eu-west-3</Region>', 'CONFIG_INVALID', 'region'],
    ['RequestTimeTooSkewed', 403, '', 'CONFIG_INVALID', undefined],
    ['EntityTooLarge', 400, '', 'INPUT_INVALID', undefined],
    ['SlowDown', 503, '', 'RATE_LIMITED', undefined],
    ['InternalError', 500, '', 'UNAVAILABLE', undefined],
  ] as const)('sorts %s', async (word, status, more, code, field) => {
    fake.always((request) =>
      request.method === 'PUT'
        ? refusal(status, word, more, { 'x-amz-bucket-region': 'eu-west-3' })
        : carryOut(request, fake.state),
    );

    const error: unknown = await opened.connection.check('files').catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code });
    expect(Object.keys((error as { fields?: object }).fields ?? {})).toEqual(
      field === undefined ? [] : [field],
    );
    if (field === 'region') {
      expect(error).toMatchObject({ fix: 'Correct the region to eu-west-3.' });
    }
  });
});

describe('S3: the form', () => {
  const good = { bucket: 'orders', region: 'eu-central-1' };

  it.each([
    [{ bucket: 's3://orders/out' }, 'bucket'],
    [{ region: '' }, 'region'],
    [{ accessKeyId: 'AKIA1' }, 'secretAccessKey'],
    [{ secretAccessKey: 'hidden-hidden' }, 'accessKeyId'],
    [{ prefix: 'a/../b' }, 'prefix'],
    [{ baseUrl: 'minio.example.com' }, 'baseUrl'],
    [{ baseUrl: 'https://user:hidden-hidden@minio.example.com' }, 'baseUrl'],
    [{ baseUrl: 'http://minio.example.com', accessKeyId: 'A', secretAccessKey: 'hidden-hidden' }, 'baseUrl'],
    // Else a request signed by the machine's own role would go to whatever host was typed.
    [{ baseUrl: 'https://minio.example.com' }, 'accessKeyId'],
  ] satisfies readonly (readonly [Raw, string])[])('refuses %j', async (typed, name) => {
    const error: unknown = await openFor(s3, { ...good, ...typed }).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
    expect(String(error)).not.toContain('hidden-hidden');
  });

  it.each([
    'http://localhost:9000',
    'http://10.1.2.3',
    'http://minio:9000',
    'http://minio.svc.cluster.local',
  ])('takes %s, which is near', async (baseUrl) => {
    const near = await openFor(s3, { ...good, baseUrl, accessKeyId: 'A', secretAccessKey: 'hidden-hidden' });

    await near.close();
  });

  it('needs neither keys nor an endpoint at Amazon', async () => {
    expect(check(s3.config, good).ok).toBe(true);
    await (await openFor(s3, good)).close();
  });
});

describe('S3: a server that nobody here wrote (s3rver)', () => {
  it('takes small and large files, and gives them back as they were', async () => {
    const directory = mkdtempSync(join(tmpdir(), 's3rver-'));
    const server = new S3rver({
      address: '127.0.0.1',
      port: 0,
      silent: true,
      directory,
      configureBuckets: [{ name: 'orders' }],
    });
    const { port } = await server.run();
    const there = await openFor(s3, {
      ...configFor(`http://127.0.0.1:${port}`),
      accessKeyId: 'S3RVER',
      secretAccessKey: 'S3RVER',
      sessionToken: '',
    });
    const real = there.connection.files as Files;
    try {
      expect(await there.connection.check('files')).toEqual([expect.stringContaining('If-None-Match')]);
      await real.put(file, bodyOf('small'), call());
      await real.put({ ...file, path: 'Zoë/large =1.csv' }, large(40), call());

      expect(await real.stat(file.path)).toEqual({ bytes: 5, mark: 'mark-1' });
      expect(await real.stat('Zoë/large =1.csv')).toEqual({ bytes: 40 * mebibyte, mark: 'mark-1' });
      expect(await real.stat('none.csv')).toBeUndefined();
      await expect(real.put({ ...file, mark: 'mark-2' }, bodyOf('x'), call())).rejects.toMatchObject({
        code: 'EXISTS',
      });
    } finally {
      await there.close();
      await server.close();
      rmSync(directory, { recursive: true });
    }
  });
});

destinationContract('s3', {
  connector: s3,
  renewsToken: false,
  parts: {
    files: (n) =>
      Array.from({ length: n }, (_, at) => ({
        ...file,
        path: `${at}.csv`,
        mark: `mark-${at}`,
        bytes: Buffer.from(`file ${at}`),
      })),
  },
  says: {
    limited: (seconds) =>
      refusal(503, 'SlowDown', '', seconds === undefined ? {} : { 'retry-after': String(seconds) }),
    unauthorized: refusal(403, 'InvalidAccessKeyId'),
    broken: [refusal(500, 'InternalError'), refusal(502, 'BadGateway')],
  },
  skip: {
    unreadable: 'S3 says all by the status when it has written a file',
    'refused once': 'what is asked first is a HEAD, whose refusal says nothing; the request after it does',
  },
  start: async () => {
    const far = await startFakeS3();
    const config = configFor(far.url);
    return {
      fake: far,
      config,
      wrongConfig: { ...config, accessKeyId: 'AKIAWRONGWRONG' },
      stored: () => ({
        objects: [...far.state.objects].map(([key, { bytes, mark }]) => [key, bytes.toString(), mark]),
        uploads: [...far.state.uploads.keys()],
      }),
    };
  },
});

async function all(source: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) {
    pieces.push(piece);
  }
  return pieces;
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
