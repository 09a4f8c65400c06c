import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gcs } from '../../connectors/gcs/index.ts';
import { signedHeaders } from '../../connectors/gcs/sign.ts';
import type { Files, NewFile } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { carryOut, type FakeGcs, type GcsState, refusal, startFakeGcs } from '../fakes/gcs.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const mebibyte = 1024 * 1024;

function configFor(url: string, { bucket, accessId, secret }: GcsState): Raw {
  return { bucket, prefix: '/out/', accessId, secret, baseUrl: url };
}

const file: NewFile = { path: 'day/1.csv', contentType: 'text/csv', mark: 'mark-1', overwrite: false };

function bodyOf(...pieces: readonly string[]): () => AsyncIterable<Uint8Array> {
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

/** Whether a file has all that {@link large} gives, in its order. */
function isLarge(bytes: Buffer | undefined, mebibytes: number): boolean {
  return (
    bytes?.length === mebibytes * mebibyte &&
    Array.from({ length: mebibytes }, (_, at) => bytes.subarray(at * mebibyte, (at + 1) * mebibyte)).every(
      (part, at) => part.equals(Buffer.alloc(mebibyte, at + 1)),
    )
  );
}

let fake: FakeGcs;
let opened: Opened;
let files: Files;

beforeEach(async () => {
  fake = await startFakeGcs();
  opened = await openFor(gcs, configFor(fake.url, fake.state));
  files = opened.connection.files as Files;
});

afterEach(async () => {
  await opened.close();
  await fake.close();
});

function there(): string | undefined {
  return fake.state.objects.get('out/day/1.csv')?.bytes.toString();
}

function theirs(): void {
  fake.state.objects.set('out/day/1.csv', { bytes: Buffer.from('theirs'), type: 'x', mark: 'theirs' });
}

function methods(): readonly string[] {
  return fake.requests.map(({ method }) => method);
}

describe('Google Cloud Storage: one file', () => {
  it('is written below the prefix, with its type and our mark', async () => {
    const stored = await files.put(file, bodyOf('id\r\n', '1\r\n'), call());

    expect(stored).toEqual({ bytes: 7, mark: 'mark-1' });
    expect(fake.state.objects.get('out/day/1.csv')).toEqual({
      bytes: Buffer.from('id\r\n1\r\n'),
      type: 'text/csv',
      mark: 'mark-1',
    });
    expect(await files.stat(file.path)).toEqual({ bytes: 7, mark: 'mark-1' });
    expect(files.locate(file.path)).toBe('gs://orders/out/day/1.csv');
  });

  it('can be one of no bytes', async () => {
    expect(await files.put(file, bodyOf(), call())).toEqual({ bytes: 0, mark: 'mark-1' });
    expect(await files.stat(file.path)).toEqual({ bytes: 0, mark: 'mark-1' });
  });

  it('may have a name with all that signatures and addresses mean something by', async () => {
    await files.put({ ...file, path: "Zoë/a =1+2%20&?#(!'*).csv" }, bodyOf('x'), call());

    expect([...fake.state.objects.keys()]).toEqual(["out/Zoë/a =1+2%20&?#(!'*).csv"]);
    expect(fake.requests.at(-1)?.path).toMatch(/%28%21%27%2A%29\.csv$/);
  });

  it('carries none of the headers and checksums of Amazon, which would not go with our condition', async () => {
    await files.put(file, large(9), call());

    const names = fake.requests.flatMap(({ headers }) => Object.keys(headers));
    expect(names.filter((name) => /^x-amz-|crc|trailer/.test(name))).toEqual([]);
    const writes = fake.requests.filter(({ method }) => method === 'POST' || method === 'PUT');
    expect(writes.map(({ headers }) => headers['x-goog-if-generation-match'])).toEqual(['0', '0', '0']);
  });
});

describe('Google Cloud Storage: a signature', () => {
  it('is the one that another program, which Google takes, comes to', () => {
    const login = {
      bucket: 'foo',
      prefix: '',
      base: 'https://example.com',
      accessId: 'XXXXX',
      secret: 'YYYYY',
    };
    const request = {
      method: 'GET',
      url: 'https://example.com/foo/bar',
      body: Buffer.from('foo\n'),
    } as const;

    expect(signedHeaders(login, request, new Date('2024-11-21T02:35:39.123Z'))).toEqual({
      'x-goog-date': '20241121T023539Z',
      'x-goog-content-sha256': 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
      authorization:
        'GOOG4-HMAC-SHA256 Credential=XXXXX/20241121/auto/storage/goog4_request,SignedHeaders=host;x-goog-content-sha256;x-goog-date,Signature=c5de427ece20baa9c60a3dca384aec3468a136e97a8adb2b75c7686dc9e4d589',
    });
  });
});

describe('Google Cloud Storage: only once', () => {
  it('refuses a name that is taken by another file, before anything is sent', async () => {
    theirs();

    await expect(files.put(file, bodyOf('ours'), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(methods()).toEqual(['HEAD']);
  });

  it('replaces it where that is allowed, small and large', async () => {
    theirs();
    await files.put({ ...file, overwrite: true }, bodyOf('ours'), call());
    expect(there()).toBe('ours');

    await files.put({ ...file, overwrite: true, mark: 'mark-2' }, large(9), call());
    expect(isLarge(fake.state.objects.get('out/day/1.csv')?.bytes, 9)).toBe(true);
  });

  it('writes nothing when an earlier attempt finished before its process died', async () => {
    await files.put(file, bodyOf('x'), call());

    expect(await files.put(file, bodyOf('x'), call({ again: true }))).toEqual({ bytes: 1, mark: 'mark-1' });
    expect(fake.to('PUT /:bucket/*')).toHaveLength(1);
  });

  it('takes the file with our mark for its own when the answer got lost (412, then HEAD)', async () => {
    fake.next(undefined, undefined, 'done-then-reset');

    expect(await files.put(file, bodyOf('x'), call())).toEqual({ bytes: 1, mark: 'mark-1' });
    expect(methods()).toEqual(['HEAD', 'GET', 'PUT', 'PUT', 'HEAD']);
  });

  it('notices who wrote the same name after we looked (412)', async () => {
    fake.next(undefined, undefined, (request) => {
      theirs();
      return carryOut(request, fake.state);
    });

    await expect(files.put(file, bodyOf('ours'), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(there()).toBe('theirs');
  });

  it('does not know what was done when answers stay away and nothing can be seen', async () => {
    fake.next(undefined, undefined, 'reset', 'reset', 'reset');

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(fake.state.objects.size).toBe(0);
  });
});

describe('Google Cloud Storage: large files', () => {
  it('go in pieces to one address, whole and in order', async () => {
    const stored = await files.put(file, large(30), call());

    expect(stored).toEqual({ bytes: 30 * mebibyte, mark: 'mark-1' });
    expect(isLarge(fake.state.objects.get('out/day/1.csv')?.bytes, 30)).toBe(true);
    expect(fake.to('PUT /:bucket/*').map(({ headers }) => headers['content-range'])).toEqual([
      'bytes 0-8388607/*',
      'bytes 8388608-16777215/*',
      'bytes 16777216-25165823/*',
      'bytes 25165824-31457279/31457280',
    ]);
  });

  it('of exactly two pieces have no empty third', async () => {
    await files.put(file, large(16), call());

    expect(fake.to('PUT /:bucket/*')).toHaveLength(2);
    expect(isLarge(fake.state.objects.get('out/day/1.csv')?.bytes, 16)).toBe(true);
  });

  it('send again what was not kept of a piece (308 with less than was sent)', async () => {
    fake.state.keepsAtMost = 5 * mebibyte;

    await files.put(file, large(18), call());

    expect(isLarge(fake.state.objects.get('out/day/1.csv')?.bytes, 18)).toBe(true);
    expect(fake.to('PUT /:bucket/*').map(({ headers }) => headers['content-range'])).toContain(
      'bytes 5242880-8388607/*',
    );
  });

  it('end when nothing is kept, however often it is sent', async () => {
    fake.state.keepsAtMost = 0;

    await expect(files.put(file, large(9), call())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('go on after an answer that got lost, and after trouble', async () => {
    // HEAD, GET and POST, then the first piece.
    fake.next(
      undefined,
      undefined,
      undefined,
      'done-then-reset',
      undefined,
      refusal(503, 'ServiceUnavailable'),
    );

    await files.put(file, large(20), call());

    expect(isLarge(fake.state.objects.get('out/day/1.csv')?.bytes, 20)).toBe(true);
  });

  it('are found finished when the answer to their last piece got lost and the address is gone', async () => {
    fake.next(undefined, undefined, undefined, undefined, (request) => {
      carryOut(request, fake.state);
      return refusal(410, 'Gone');
    });

    expect(await files.put(file, large(9), call())).toEqual({ bytes: 9 * mebibyte, mark: 'mark-1' });
  });

  it('whose address was ended early are tried again from their beginning later', async () => {
    fake.next(undefined, undefined, undefined, refusal(410, 'Gone'));

    await expect(files.put(file, large(9), call())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(fake.state.objects.size).toBe(0);
  });

  it('that are taken by another at the last moment do not replace it', async () => {
    fake.next(undefined, undefined, undefined, undefined, (request) => {
      theirs();
      return carryOut(request, fake.state);
    });

    await expect(files.put(file, large(9), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(there()).toBe('theirs');
  });

  it('that are taken by another before they begin send no piece', async () => {
    fake.next(undefined, undefined, refusal(412, 'PreconditionFailed'));

    await expect(files.put(file, large(9), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(fake.to('PUT /:bucket/*')).toEqual([]);
  });

  it('are read no further than is being sent: memory stays flat', async () => {
    let most = 0;
    const reading = large(96, (made) => {
      const arrived = fake.to('PUT /:bucket/*').reduce((sum, { body }) => sum + body.length, 0) / mebibyte;
      most = Math.max(most, made - arrived);
    });

    await files.put(file, reading, call());

    expect(most).toBeLessThanOrEqual(2 * 8);
  });

  it('stop with the signal, even while the source hangs, and leave no file', async () => {
    const gone = new AbortController();
    const reason = new Error('stopped');
    const hanging = async function* (): AsyncGenerator<Uint8Array> {
      yield* large(17)();
      gone.abort(reason);
      await new Promise(() => undefined);
    };

    await expect(files.put(file, hanging, call({ signal: gone.signal }))).rejects.toBe(reason);
    expect(fake.state.objects.size).toBe(0);
  });
});

describe('Google Cloud Storage: a check', () => {
  it('leaves nothing behind', async () => {
    expect(await opened.connection.check('files')).toEqual([]);
    expect(fake.state.objects.size).toBe(0);
  });

  it('warns when the store does not refuse to replace a file, and when the small file stays', async () => {
    fake.state.keepsConditions = false;
    fake.state.mayDelete = false;

    expect(await opened.connection.check('files')).toEqual([
      expect.stringContaining('x-goog-if-generation-match'),
      expect.stringMatching(/^The small file out\/\.activate-check-\w+ stays there/),
    ]);
  });

  it.each([
    [{ secret: 'another-secret' }, 'secret'],
    [{ accessId: 'GOOG1EANOTHERKEY' }, 'accessId'],
  ])('finds out about a wrong %j', async (typed, name) => {
    const wrong = await openFor(gcs, { ...configFor(fake.url, fake.state), ...typed });

    await expect(wrong.connection.check('files')).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      fields: { [name]: expect.any(String) },
    });
    await wrong.close();
  });

  it.each([
    ['InvalidSecurity', 403, 'AUTH_REJECTED'],
    ['SignatureDoesNotMatch', 403, 'AUTH_REJECTED'],
    ['AccessDenied', 403, 'PERMISSION_DENIED'],
    ['AccountProblem', 403, 'PERMISSION_DENIED'],
    ['RequestTimeTooSkewed', 403, 'CONFIG_INVALID'],
    ['NoSuchBucket', 404, 'CONFIG_INVALID'],
    ['RetentionPolicyNotMet', 403, 'EXISTS'],
    ['BadDigest', 400, 'OUTCOME_UNKNOWN'],
    ['InvalidArgument', 400, 'INPUT_INVALID'],
    ['SlowDown', 429, 'RATE_LIMITED'],
    ['InternalError', 500, 'OUTCOME_UNKNOWN'],
  ] as const)('sorts %s', async (word, status, code) => {
    fake.always((request) =>
      request.method === 'PUT' ? refusal(status, word) : carryOut(request, fake.state),
    );

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({ code });
  });

  it('says why it may not look, which the answer to HEAD does not', async () => {
    fake.always(refusal(403, 'AccessDenied'));

    await expect(files.stat(file.path)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('AccessDenied'),
    });
  });
});

describe('Google Cloud Storage: the form', () => {
  const good = { bucket: 'orders', accessId: 'GOOG1ETESTTESTTEST', secret: 'hidden-hidden' };

  it.each([
    [{ bucket: 'gs://orders/out' }, 'bucket'],
    [{ accessId: 'activate@acme.iam.gserviceaccount.com' }, 'accessId'],
    [{ prefix: 'a/../b' }, 'prefix'],
    [{ baseUrl: 'storage.googleapis.com' }, 'baseUrl'],
    [{ baseUrl: 'http://storage.googleapis.com' }, 'baseUrl'],
  ] satisfies readonly (readonly [Raw, string])[])('refuses %j', async (typed, name) => {
    const error: unknown = await openFor(gcs, { ...good, ...typed }).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
    expect(JSON.stringify(error) + String(error)).not.toContain('hidden-hidden');
  });
});

destinationContract('gcs', {
  connector: gcs,
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
  says: { unauthorized: refusal(403, 'SignatureDoesNotMatch') },
  skip: {
    unreadable: 'Google says all by the status when it has written a file',
    'refused once': 'what is asked first is a HEAD, whose refusal says nothing; the request after it does',
  },
  start: async () => {
    const far = await startFakeGcs();
    const config = configFor(far.url, far.state);
    return {
      fake: far,
      config,
      wrongConfig: { ...config, secret: 'wrong-wrong-wrong' },
      stored: () => [...far.state.objects].map(([name, { bytes, mark }]) => [name, bytes.toString(), mark]),
    };
  },
});
