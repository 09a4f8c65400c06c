import { createHash, createHmac } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface StoredBlob {
  readonly bytes: Buffer;
  readonly type: string | undefined;
  readonly mark: string | undefined;
  /** Of its blocks, by id: a list may name them again. */
  readonly blocks: ReadonlyMap<string, Buffer>;
}

export interface AzureState {
  readonly account: string;
  readonly container: string;
  /** In Base64. */
  readonly key: string;
  /** The signature of the one token that it knows. */
  readonly sig: string;
  /** By name. */
  readonly blobs: Map<string, StoredBlob>;
  /** Blocks that no list has named yet, by the blob's name and by id: they belong to the name, not to who sent them. */
  readonly pending: Map<string, Map<string, Buffer>>;
  mayDelete: boolean;
  keepsConditions: boolean;
}

export type FakeAzure = FakeHttp<AzureState>;

/** A container that answers as the REST reference has it, and works out each signature from what really came. */
export async function startFakeAzure(): Promise<FakeAzure> {
  const state: AzureState = {
    account: 'acmeexports',
    container: 'orders',
    key: Buffer.from('a key of 64 bytes, as those of storage accounts are, made for test').toString('base64'),
    sig: 'c2lnbmF0dXJlLW9mLWEtdG9rZW4+/w==',
    blobs: new Map(),
    pending: new Map(),
    mayDelete: true,
    keepsConditions: true,
  };
  return startFakeHttp(state, {
    'HEAD /:container/*': (request) => carryOut(request, state),
    'PUT /:container/*': (request) => carryOut(request, state),
    'DELETE /:container/*': (request) => carryOut(request, state),
  });
}

/** What the store does with a request; for replies that let some through. */
export function carryOut(request: Received, state: AzureState): Answer {
  const refused = guard(request, state);
  if (refused !== undefined) {
    return refused;
  }
  switch (request.method) {
    case 'HEAD':
      return head(request, state);
    case 'PUT':
      return request.query.get('comp') === 'block' ? putBlock(request, state) : commit(request, state);
    default:
      return remove(request, state);
  }
}

/** An answer as Azure writes its errors: the word is a header too, for HEAD has no body. */
export function refusal(status: number, word: string, headers: Answer['headers'] = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml', 'x-ms-error-code': word, ...headers },
    text: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${word}</Code><Message>${word} it is.</Message></Error>`,
  };
}

function guard(request: Received, state: AzureState): Answer | undefined {
  const { authorization } = request.headers;
  const { query } = request;
  const signedWell =
    authorization === undefined
      ? query.get('sig') === state.sig && query.has('sv')
      : authorization === `SharedKey ${state.account}:${signatureOf(request, state)}`;
  if (!signedWell) {
    return refusal(403, 'AuthenticationFailed');
  }
  return request.path.startsWith(`/${state.container}/`) ? undefined : refusal(404, 'ContainerNotFound');
}

/** As the page “Authorize with Shared Key” has it, from what came over the wire. */
function signatureOf({ method, path, query, headers }: Received, { account, key }: AzureState): string {
  const length = headers['content-length'] ?? '';
  const plain = [
    'content-encoding',
    'content-language',
    'content-length',
    'content-md5',
    'content-type',
    'date',
    'if-modified-since',
    'if-match',
    'if-none-match',
    'if-unmodified-since',
    'range',
  ].map((name) => (name === 'content-length' && length === '0' ? '' : (headers[name] ?? '')));
  const ours = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .toSorted()
    .map((name) => `${name}:${headers[name]}`);
  const asked = [...query]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`);
  const text = [method, ...plain, ...ours, `/${account}${path}`, ...asked].join('\n');
  return createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
}

function nameOf({ path }: Received): string {
  return decodeURIComponent(path.replace(/^\/[^/]*\//, ''));
}

function head(request: Received, state: AzureState): Answer {
  const there = state.blobs.get(nameOf(request));
  if (there === undefined) {
    return refusal(404, 'BlobNotFound');
  }
  const mark = there.mark === undefined ? {} : { 'x-ms-meta-activatemark': there.mark };
  return { headers: { 'content-length': String(there.bytes.length), ...mark } };
}

function putBlock(request: Received, state: AzureState): Answer {
  const sum = createHash('md5').update(request.body).digest('base64');
  if (request.headers['content-md5'] !== sum) {
    return refusal(400, 'Md5Mismatch');
  }
  const id = request.query.get('blockid') ?? '';
  const blocks = state.pending.get(nameOf(request)) ?? new Map<string, Buffer>();
  if ([...blocks.keys()].some((other) => other.length !== id.length)) {
    return refusal(400, 'InvalidBlobOrBlock');
  }
  blocks.set(id, request.body);
  state.pending.set(nameOf(request), blocks);
  return { status: 201 };
}

function commit(request: Received, state: AzureState): Answer {
  const name = nameOf(request);
  const there = state.blobs.get(name);
  if (request.headers['if-none-match'] === '*' && there !== undefined && state.keepsConditions) {
    return refusal(409, 'BlobAlreadyExists');
  }
  const ids = [...request.body.toString().matchAll(/<Latest>(.*?)<\/Latest>/g)].map(([, id = '']) => id);
  const blocks = ids.map((id) => state.pending.get(name)?.get(id) ?? there?.blocks.get(id));
  if (blocks.includes(undefined)) {
    return refusal(400, 'InvalidBlockList');
  }
  const bytes = blocks.flatMap((block) => block ?? []);
  state.blobs.set(name, {
    bytes: Buffer.concat(bytes),
    type: request.headers['x-ms-blob-content-type'],
    mark: request.headers['x-ms-meta-activatemark'],
    blocks: new Map(ids.map((id, at) => [id, bytes[at] ?? Buffer.alloc(0)])),
  });
  // Those that the list does not name are gone.
  state.pending.delete(name);
  return { status: 201 };
}

function remove(request: Received, state: AzureState): Answer {
  if (!state.mayDelete) {
    return refusal(403, 'AuthorizationPermissionMismatch');
  }
  return state.blobs.delete(nameOf(request)) ? { status: 202 } : refusal(404, 'BlobNotFound');
}
