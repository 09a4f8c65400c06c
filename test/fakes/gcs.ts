import { createHash, createHmac } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface StoredObject {
  readonly bytes: Buffer;
  readonly type: string | undefined;
  readonly mark: string | undefined;
}

interface Session {
  readonly name: string;
  readonly begun: Received;
  bytes: Buffer;
  done: boolean;
}

export interface GcsState {
  readonly bucket: string;
  readonly accessId: string;
  readonly secret: string;
  /** By name. */
  readonly objects: Map<string, StoredObject>;
  /** Uploads in pieces, by id; they stay when they are done. */
  readonly sessions: Map<string, Session>;
  mayDelete: boolean;
  keepsConditions: boolean;
  /** It keeps no more than this of one piece, in bytes. */
  keepsAtMost: number;
}

export type FakeGcs = FakeHttp<GcsState>;

/** A bucket that answers as the XML reference has it, and works out each signature from what really came. */
export async function startFakeGcs(): Promise<FakeGcs> {
  const state: GcsState = {
    bucket: 'orders',
    accessId: 'GOOG1ETESTTESTTEST',
    secret: 'secret-secret-secret',
    objects: new Map(),
    sessions: new Map(),
    mayDelete: true,
    keepsConditions: true,
    keepsAtMost: Number.POSITIVE_INFINITY,
  };
  const route = (request: Received): Answer => carryOut(request, state);
  return startFakeHttp(state, {
    'HEAD /:bucket/*': route,
    'GET /:bucket/*': route,
    'PUT /:bucket/*': route,
    'POST /:bucket/*': route,
    'DELETE /:bucket/*': route,
  });
}

/** What the store does with a request; for replies that let some through. */
export function carryOut(request: Received, state: GcsState): Answer {
  const session = request.query.get('upload_id');
  if (session !== null) {
    return piece(request, state, session);
  }
  const refused = guard(request, state);
  if (refused !== undefined) {
    return refused;
  }
  switch (request.method) {
    case 'HEAD':
    case 'GET':
      return look(request, state);
    case 'PUT':
      return put(request, state);
    case 'POST':
      return begin(request, state);
    default:
      return remove(request, state);
  }
}

/** An answer as Google writes its errors. */
export function refusal(status: number, word: string, headers: Answer['headers'] = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    text: `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${word}</Code><Message>${word} it is.</Message></Error>`,
  };
}

function guard(request: Received, state: GcsState): Answer | undefined {
  const { authorization = '' } = request.headers;
  const [, accessId, scope = '', names = '', signature] =
    /^GOOG4-HMAC-SHA256 Credential=([^/]+)\/([^,]+),SignedHeaders=([^,]+),Signature=(\w+)$/.exec(
      authorization,
    ) ?? [];
  if (accessId !== state.accessId) {
    return refusal(403, 'InvalidSecurity');
  }
  if (signature !== signatureOf(request, scope, names, state)) {
    return refusal(403, 'SignatureDoesNotMatch');
  }
  if (Object.keys(request.headers).some((name) => name.startsWith('x-amz-'))) {
    return refusal(400, 'ExcessHeaderValues');
  }
  return request.path.startsWith(`/${state.bucket}/`) ? undefined : refusal(404, 'NoSuchBucket');
}

/** As the pages “Signatures” and “Canonical requests” have it, from what came over the wire. */
function signatureOf(request: Received, scope: string, names: string, { secret }: GcsState): string {
  const { method, path, headers, body } = request;
  const sum = createHash('sha256').update(body).digest('hex');
  const signed = names.split(';').map((name) => `${name}:${headers[name]}`);
  const canonical = [method, path, '', ...signed, '', names, sum].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const text = ['GOOG4-HMAC-SHA256', headers['x-goog-date'], scope, hash].join('\n');
  let key: string | Buffer = `GOOG4${secret}`;
  for (const part of scope.split('/')) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return createHmac('sha256', key).update(text).digest('hex');
}

function nameOf({ path }: Received): string {
  return decodeURIComponent(path.replace(/^\/[^/]*\//, ''));
}

function look(request: Received, state: GcsState): Answer {
  const there = state.objects.get(nameOf(request));
  if (there === undefined) {
    return refusal(404, 'NoSuchKey');
  }
  const mark = there.mark === undefined ? {} : { 'x-goog-meta-activate-mark': there.mark };
  return { headers: { 'content-length': String(there.bytes.length), ...mark } };
}

function isTaken({ headers }: Received, name: string, state: GcsState): boolean {
  return headers['x-goog-if-generation-match'] === '0' && state.objects.has(name) && state.keepsConditions;
}

function store(state: GcsState, name: string, bytes: Buffer, { headers }: Received): void {
  const mark = headers['x-goog-meta-activate-mark'];
  state.objects.set(name, { bytes, type: headers['content-type'], mark });
}

function put(request: Received, state: GcsState): Answer {
  const name = nameOf(request);
  if (isTaken(request, name, state)) {
    return refusal(412, 'PreconditionFailed');
  }
  if (request.headers['content-md5'] !== createHash('md5').update(request.body).digest('base64')) {
    return refusal(400, 'BadDigest');
  }
  store(state, name, request.body, request);
  return {};
}

function begin(request: Received, state: GcsState): Answer {
  const name = nameOf(request);
  if (request.headers['x-goog-resumable'] !== 'start') {
    return refusal(400, 'InvalidArgument');
  }
  // A condition is not looked at here, nor remembered: that of the last piece counts.
  const id = `session-${state.sessions.size + 1}`;
  state.sessions.set(id, { name, begun: request, bytes: Buffer.alloc(0), done: false });
  const location = `http://${request.headers['host']}${request.path}?upload_id=${id}`;
  return { status: 201, headers: { location } };
}

const grain = 256 * 1024;

function piece(request: Received, state: GcsState, id: string): Answer {
  const session = state.sessions.get(id);
  if (session === undefined) {
    return refusal(410, 'Gone');
  }
  if (session.done) {
    return {};
  }
  const [, from, to, total] =
    /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '') ?? [];
  const have = session.bytes.length;
  const skipped = have - Number(from);
  if (Number(to) - Number(from) + 1 !== request.body.length || skipped < 0) {
    return refusal(400, 'InvalidArgument');
  }
  session.bytes = Buffer.concat([session.bytes, request.body.subarray(skipped, skipped + state.keepsAtMost)]);
  if (String(session.bytes.length) !== total) {
    // What does not fill 256 KiB is not kept before the end.
    session.bytes = session.bytes.subarray(0, session.bytes.length - (session.bytes.length % grain));
    const kept = session.bytes.length;
    return { status: 308, headers: kept === 0 ? {} : { range: `bytes=0-${kept - 1}` } };
  }
  if (isTaken(request, session.name, state)) {
    return refusal(412, 'PreconditionFailed');
  }
  session.done = true;
  store(state, session.name, session.bytes, session.begun);
  return {};
}

function remove(request: Received, state: GcsState): Answer {
  if (!state.mayDelete) {
    return refusal(403, 'AccessDenied');
  }
  return state.objects.delete(nameOf(request)) ? { status: 204 } : refusal(404, 'NoSuchKey');
}
