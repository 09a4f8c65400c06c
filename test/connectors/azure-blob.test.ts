import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { azureBlob } from '../../connectors/azure-blob/index.ts';
import type { Files, NewFile } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { destinationContract } from '../contracts/destination.ts';
import { type AzureState, carryOut, type FakeAzure, refusal, startFakeAzure } from '../fakes/azure-blob.ts';
import { call, type Opened, openFor } from '../support/connect.ts';

const mebibyte = 1024 * 1024;

function configFor(url: string, { account, container, key }: AzureState): Raw {
  return { account, container, prefix: '/out/', accountKey: key, baseUrl: url };
}

function tokenFor({ sig }: AzureState, more = ''): string {
  return `?sv=2023-11-03&sr=c&sp=rcwd${more}&sig=${encodeURIComponent(sig)}`;
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

let fake: FakeAzure;
let opened: Opened;
let files: Files;

beforeEach(async () => {
  fake = await startFakeAzure();
  opened = await openFor(azureBlob, configFor(fake.url, fake.state));
  files = opened.connection.files as Files;
});

afterEach(async () => {
  await opened.close();
  await fake.close();
});

function theirs(text = 'theirs'): void {
  const blob = { bytes: Buffer.from(text), type: 'x', mark: 'theirs', blocks: new Map() };
  fake.state.blobs.set('out/day/1.csv', blob);
  fake.state.pending.delete('out/day/1.csv');
}

function routes(): readonly string[] {
  return fake.requests.map(({ method, query }) => [method, query.get('comp')].filter(Boolean).join(' '));
}

describe('Azure: one file', () => {
  it('is written below the prefix, with its type and our mark', async () => {
    const stored = await files.put(file, bodyOf('id\r\n', '1\r\n'), call());

    expect(stored).toEqual({ bytes: 7, mark: 'mark-1' });
    expect(fake.state.blobs.get('out/day/1.csv')).toMatchObject({
      bytes: Buffer.from('id\r\n1\r\n'),
      type: 'text/csv',
      mark: 'mark-1',
    });
    expect(await files.stat(file.path)).toEqual({ bytes: 7, mark: 'mark-1' });
    expect(files.locate(file.path)).toBe(`${fake.url}/orders/out/day/1.csv`);
  });

  it('can be one of no bytes: a list of no blocks', async () => {
    expect(await files.put(file, bodyOf(), call())).toEqual({ bytes: 0, mark: 'mark-1' });
    expect(await files.stat(file.path)).toEqual({ bytes: 0, mark: 'mark-1' });
    expect(routes()).toEqual(['HEAD', 'PUT blocklist', 'HEAD']);
  });

  it('may have a name with spaces, letters beyond ASCII, and what an address means something by', async () => {
    await files.put({ ...file, path: 'Zoë/a =1+2%20&?#.csv' }, bodyOf('x'), call());

    expect([...fake.state.blobs.keys()]).toEqual(['out/Zoë/a =1+2%20&?#.csv']);
  });

  it('is taken for none where a folder has its name', async () => {
    fake.always({ headers: { 'x-ms-meta-hdi_isfolder': 'true' } });

    expect(await files.stat('day')).toBeUndefined();
  });
});

describe('Azure: signing in', () => {
  it.each(['', 'https://acmeexports.blob.core.windows.net/orders'])(
    'takes a SAS token, pasted with “%s?” in front',
    async (front) => {
      const { accountKey: _, ...rest } = configFor(fake.url, fake.state);
      const token = await openFor(azureBlob, { ...rest, sasToken: `${front}${tokenFor(fake.state)}` });

      expect(await token.connection.check('files')).toEqual([]);
      expect(fake.requests.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
      expect(token.logged.join('\n')).not.toContain(fake.state.sig.slice(0, 12));
      await token.close();
    },
  );

  it('takes a token whose plus signs came decoded', async () => {
    const { accountKey: _, ...rest } = configFor(fake.url, fake.state);
    const token = await openFor(azureBlob, { ...rest, sasToken: `sv=2023-11-03&sig=${fake.state.sig}` });

    expect(await token.connection.check('files')).toEqual([]);
    await token.close();
  });

  it('warns a month before a token ends, and refuses one that has', async () => {
    const { accountKey: _, ...rest } = configFor(fake.url, fake.state);
    const sasToken = tokenFor(fake.state, '&se=2026-07-20T00%3A00%3A00Z');
    const soon = await openFor(
      azureBlob,
      { ...rest, sasToken },
      { now: () => new Date('2026-07-01T00:00:00Z') },
    );

    expect(await soon.connection.check('files')).toEqual([expect.stringContaining('2026-07-20')]);
    await soon.close();
    await expect(
      openFor(azureBlob, { ...rest, sasToken }, { now: () => new Date('2026-07-21T00:00:00Z') }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', fields: { sasToken: expect.any(String) } });
  });
});

describe('Azure: only once', () => {
  it('refuses a name that is taken by another file, before anything is sent', async () => {
    theirs();

    await expect(files.put(file, bodyOf('ours'), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(routes()).toEqual(['HEAD']);
  });

  it('replaces it where that is allowed', async () => {
    theirs();

    await files.put({ ...file, overwrite: true }, bodyOf('ours'), call());

    expect(fake.state.blobs.get('out/day/1.csv')?.bytes.toString()).toBe('ours');
  });

  it('writes nothing when an earlier attempt finished before its process died', async () => {
    await files.put(file, bodyOf('x'), call());

    expect(await files.put(file, bodyOf('x'), call({ again: true }))).toEqual({ bytes: 1, mark: 'mark-1' });
    expect(routes()).toEqual(['HEAD', 'PUT block', 'PUT blocklist', 'HEAD']);
  });

  it('takes the file with our mark for its own when the answer to the last step got lost (409, then HEAD)', async () => {
    fake.next(undefined, undefined, 'done-then-reset');

    expect(await files.put(file, bodyOf('x'), call())).toEqual({ bytes: 1, mark: 'mark-1' });
    expect(routes()).toEqual(['HEAD', 'PUT block', 'PUT blocklist', 'PUT blocklist', 'HEAD']);
  });

  it.each([
    [409, 'BlobAlreadyExists'],
    [412, 'ConditionNotMet'],
  ])('notices who wrote the same name after we looked (%i %s)', async (status, word) => {
    fake.next(undefined, undefined, (request) => {
      theirs();
      expect(request.headers['if-none-match']).toBe('*');
      return refusal(status, word);
    });

    await expect(files.put(file, bodyOf('ours'), call())).rejects.toMatchObject({ code: 'EXISTS' });
    expect(fake.state.blobs.get('out/day/1.csv')?.bytes.toString()).toBe('theirs');
  });

  it('is tried again when somebody else who committed the name threw our blocks away', async () => {
    fake.next(undefined, undefined, (request) => {
      theirs();
      return carryOut(request, fake.state);
    });

    await expect(files.put({ ...file, overwrite: true }, bodyOf('ours'), call())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('takes no block of an earlier attempt that was killed', async () => {
    const broken = new Error('the cursor is gone');
    const killed = async function* () {
      const arrived = fake.arrival();
      yield* large(9)();
      await arrived;
      throw broken;
    };
    await expect(files.put(file, killed, call())).rejects.toBe(broken);
    expect(fake.state.pending.get('out/day/1.csv')?.size).toBe(1);

    await files.put(file, bodyOf('whole'), call({ again: true }));

    expect(fake.state.blobs.get('out/day/1.csv')?.bytes.toString()).toBe('whole');
    expect(fake.state.pending.size).toBe(0);
  });

  it('does not know what was done when answers stay away and nothing can be seen', async () => {
    fake.next(undefined, undefined, 'reset', 'reset', 'reset');

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(fake.state.blobs.size).toBe(0);
  });
});

describe('Azure: large files', () => {
  it('go in blocks with a checksum each, whole and in order', async () => {
    const stored = await files.put(file, large(70), call());

    const bytes = fake.state.blobs.get('out/day/1.csv')?.bytes ?? Buffer.alloc(0);
    expect(stored).toEqual({ bytes: 70 * mebibyte, mark: 'mark-1' });
    expect(bytes.equals(Buffer.concat(await all(large(70)())))).toBe(true);
    const blocks = fake.requests.filter(({ query }) => query.get('comp') === 'block');
    expect(blocks).toHaveLength(9);
    expect(new Set(blocks.map(({ query }) => query.get('blockid')?.length)).size).toBe(1);
  });

  it('send a block again that came damaged or not at all, and no other', async () => {
    fake.next(undefined, undefined, 'reset', refusal(500, 'InternalError'));

    await files.put(file, large(24), call());

    expect(fake.state.blobs.get('out/day/1.csv')?.bytes.length).toBe(24 * mebibyte);
    expect(routes().filter((route) => route === 'PUT block')).toHaveLength(5);
  });

  it('are read no further than is being sent: memory stays flat', async () => {
    let most = 0;
    const reading = large(160, (made) => {
      const arrived = fake.requests.reduce((sum, { body }) => sum + body.length, 0) / mebibyte;
      most = Math.max(most, made - arrived);
    });

    await files.put(file, reading, call());

    // Three blocks under way and one being read, of 8 MiB each.
    expect(most).toBeLessThanOrEqual(4 * 8);
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
    expect(fake.state.blobs.size).toBe(0);
  });
});

describe('Azure: a check', () => {
  it('leaves nothing behind', async () => {
    expect(await opened.connection.check('files')).toEqual([]);
    expect(fake.state.blobs.size).toBe(0);
  });

  it('warns when the store does not refuse to replace a file, and when the small file stays', async () => {
    fake.state.keepsConditions = false;
    fake.state.mayDelete = false;

    expect(await opened.connection.check('files')).toEqual([
      expect.stringContaining('If-None-Match'),
      expect.stringMatching(/^The small file out\/\.activate-check-\w+ stays there/),
    ]);
  });

  it('finds out about a wrong key', async () => {
    const accountKey = Buffer.alloc(64, 7).toString('base64');
    const wrong = await openFor(azureBlob, { ...configFor(fake.url, fake.state), accountKey });

    await expect(wrong.connection.check('files')).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      fields: { accountKey: expect.any(String) },
    });
    await wrong.close();
  });

  it.each([
    ['AuthenticationFailed', 403, 'AUTH_REJECTED'],
    ['KeyBasedAuthenticationNotPermitted', 403, 'PERMISSION_DENIED'],
    ['AccountIsDisabled', 403, 'PERMISSION_DENIED'],
    ['AuthorizationFailure', 403, 'PERMISSION_DENIED'],
    ['AuthorizationPermissionMismatch', 403, 'PERMISSION_DENIED'],
    ['ContainerNotFound', 404, 'CONFIG_INVALID'],
    ['InvalidBlobType', 409, 'EXISTS'],
    ['BlobImmutableDueToPolicy', 409, 'EXISTS'],
    ['InvalidBlobOrBlock', 400, 'EXISTS'],
    ['Md5Mismatch', 400, 'UNAVAILABLE'],
    ['ContainerBeingDeleted', 409, 'UNAVAILABLE'],
    ['InvalidResourceName', 400, 'INPUT_INVALID'],
    ['ServerBusy', 503, 'RATE_LIMITED'],
    ['InternalError', 500, 'OUTCOME_UNKNOWN'],
  ] as const)('sorts %s', async (word, status, code) => {
    fake.always((request) =>
      request.method === 'PUT' ? refusal(status, word) : carryOut(request, fake.state),
    );

    await expect(files.put(file, bodyOf('x'), call())).rejects.toMatchObject({ code });
  });
});

describe('Azure: the form', () => {
  const good = {
    account: 'acmeexports',
    container: 'orders',
    accountKey: Buffer.alloc(64, 7).toString('base64'),
  };

  it.each([
    [{ account: 'https://acme.blob.core.windows.net' }, 'account'],
    [{ container: 'Orders/out' }, 'container'],
    [{ container: 'a--b' }, 'container'],
    [{ prefix: 'a/../b' }, 'prefix'],
    [{ accountKey: 'DefaultEndpointsProtocol=https;AccountKey=hidden-hidden' }, 'accountKey'],
    [{ accountKey: '' }, 'accountKey'],
    [{ sasToken: 'sv=1&sig=hidden-hidden' }, 'accountKey'],
    [{ accountKey: '', sasToken: 'hidden-hidden' }, 'sasToken'],
    [{ baseUrl: 'acme.blob.core.windows.net' }, 'baseUrl'],
    [{ baseUrl: 'http://acme.example.com' }, 'baseUrl'],
    [{ baseUrl: 'https://acme.example.com/?sig=hidden-hidden' }, 'baseUrl'],
  ] satisfies readonly (readonly [Raw, string])[])('refuses %j', async (typed, name) => {
    const error: unknown = await openFor(azureBlob, { ...good, ...typed }).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', fields: { [name]: expect.any(String) } });
    expect(JSON.stringify(error) + String(error)).not.toContain('hidden-hidden');
  });

  it('goes to the account at Microsoft when nothing else is said', async () => {
    const there = await openFor(azureBlob, good);

    expect((there.connection.files as Files).locate('a b.csv')).toBe(
      'https://acmeexports.blob.core.windows.net/orders/a%20b.csv',
    );
    await there.close();
  });
});

destinationContract('azure-blob', {
  connector: azureBlob,
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
      refusal(503, 'ServerBusy', seconds === undefined ? {} : { 'retry-after': String(seconds) }),
    unauthorized: refusal(403, 'AuthenticationFailed'),
    broken: [refusal(500, 'InternalError'), refusal(500, 'OperationTimedOut'), refusal(502, 'BadGateway')],
  },
  skip: { unreadable: 'Azure says all by the status when it has written a file' },
  start: async () => {
    const far = await startFakeAzure();
    const config = configFor(far.url, far.state);
    return {
      fake: far,
      config,
      wrongConfig: { ...config, accountKey: Buffer.alloc(64, 7).toString('base64') },
      stored: () => ({
        blobs: [...far.state.blobs].map(([name, { bytes, mark }]) => [name, bytes.toString(), mark]),
        pending: [...far.state.pending.keys()],
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
