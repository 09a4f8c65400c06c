import { createHash } from 'node:crypto';
import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

export interface StoredObject {
  readonly bytes: Buffer;
  readonly type: string | undefined;
  readonly mark: string | undefined;
}

interface PendingUpload {
  readonly key: string;
  readonly about: Omit<StoredObject, 'bytes'>;
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>;
}

export interface S3State {
  readonly bucket: string;
  readonly accessKeyId: string;
  /** By key. */
  readonly objects: Map<string, StoredObject>;
  /** Uploads that are neither completed nor abandoned, by id. */
  readonly uploads: Map<string, PendingUpload>;
  /** What it makes of `If-None-Match: *`: as Amazon does; nothing; 501; or the 304 of an older MinIO. */
  conditional: 'kept' | 'ignored' | 'refused' | 'old';
  /** Without the right to list, a missing file is answered like one that may not be seen. */
  mayList: boolean;
  mayRead: boolean;
  mayDelete: boolean;
  uploadsBegun: number;
}

export type FakeS3 = FakeHttp<S3State>;

/** A bucket that answers as the API reference has it: path style, multipart, conditional writes. */
export async function startFakeS3(): Promise<FakeS3> {
  const state: S3State = {
    bucket: 'orders',
    accessKeyId: 'AKIATESTTESTTEST',
    objects: new Map(),
    uploads: new Map(),
    conditional: 'kept',
    mayList: true,
    mayRead: true,
    mayDelete: true,
    uploadsBegun: 0,
  };
  return startFakeHttp(state, {
    'HEAD /:bucket/*': (request) => carryOut(request, state),
    'PUT /:bucket/*': (request) => carryOut(request, state),
    'POST /:bucket/*': (request) => carryOut(request, state),
    'DELETE /:bucket/*': (request) => carryOut(request, state),
  });
}

/** What the store does with a request; for replies that let some through. */
export function carryOut(request: Received, state: S3State): Answer {
  const { method, query } = request;
  const refused = guard(request, state);
  if (refused !== undefined) {
    return refused;
  }
  switch (method) {
    case 'HEAD':
      return head(request, state);
    case 'PUT':
      return query.has('uploadId') ? part(request, state) : put(request, state);
    case 'POST':
      return query.has('uploads') ? begin(request, state) : complete(request, state);
    default:
      return remove(request, state);
  }
}

/** An answer as S3 writes its errors. */
export function refusal(status: number, word: string, more = '', headers: Answer['headers'] = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    text: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${word}</Code><Message>${word} it is.</Message>${more}<RequestId>1</RequestId></Error>`,
  };
}

function guard(request: Received, state: S3State): Answer | undefined {
  const [, key = ''] = /Credential=([^/]+)\//.exec(request.headers['authorization'] ?? '') ?? [];
  if (key !== state.accessKeyId) {
    return refusal(403, 'InvalidAccessKeyId', `<AWSAccessKeyId>${key}</AWSAccessKeyId>`);
  }
  return request.path.startsWith(`/${state.bucket}/`) ? undefined : refusal(404, 'NoSuchBucket');
}

/** Path style: the bucket comes first. */
function keyOf({ path }: Received): string {
  return decodeURIComponent(path.replace(/^\/[^/]*\//, ''));
}

function aboutOf({ headers }: Received): Omit<StoredObject, 'bytes'> {
  return { type: headers['content-type'], mark: headers['x-amz-meta-activate-mark'] };
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

function head(request: Received, state: S3State): Answer {
  const there = state.objects.get(keyOf(request));
  if (!state.mayRead || (there === undefined && !state.mayList)) {
    return { status: 403 };
  }
  if (there === undefined) {
    return { status: 404 };
  }
  const mark = there.mark === undefined ? {} : { 'x-amz-meta-activate-mark': there.mark };
  return {
    headers: { 'content-length': String(there.bytes.length), etag: `"${md5(there.bytes)}"`, ...mark },
  };
}

/** What stands against writing under the key. */
function conflict(request: Received, state: S3State, key: string): Answer | undefined {
  if (request.headers['if-none-match'] === undefined) {
    return undefined;
  }
  switch (state.conditional) {
    case 'kept':
      return state.objects.has(key) ? refusal(412, 'PreconditionFailed') : undefined;
    case 'old':
      return state.objects.has(key) ? { status: 304 } : undefined;
    case 'refused':
      return refusal(501, 'NotImplemented');
    case 'ignored':
      return undefined;
    default:
      return state.conditional satisfies never;
  }
}

function put(request: Received, state: S3State): Answer {
  const key = keyOf(request);
  const against = conflict(request, state, key);
  if (against !== undefined) {
    return against;
  }
  state.objects.set(key, { bytes: request.body, ...aboutOf(request) });
  return { headers: { etag: `"${md5(request.body)}"` } };
}

function begin(request: Received, state: S3State): Answer {
  state.uploadsBegun += 1;
  const id = `upload-${state.uploadsBegun}`;
  state.uploads.set(id, { key: keyOf(request), about: aboutOf(request), parts: new Map() });
  return xml(
    `<InitiateMultipartUploadResult><Bucket>${state.bucket}</Bucket><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
  );
}

function part(request: Received, state: S3State): Answer {
  const upload = state.uploads.get(request.query.get('uploadId') ?? '');
  if (upload === undefined) {
    return refusal(404, 'NoSuchUpload');
  }
  const etag = `"${md5(request.body)}"`;
  upload.parts.set(Number(request.query.get('partNumber')), { bytes: request.body, etag });
  return { headers: { etag } };
}

const smallestPart = 5 * 1024 * 1024;

function complete(request: Received, state: S3State): Answer {
  const id = request.query.get('uploadId') ?? '';
  const upload = state.uploads.get(id);
  if (upload === undefined) {
    return refusal(404, 'NoSuchUpload');
  }
  const against = conflict(request, state, upload.key);
  if (against !== undefined) {
    return against;
  }
  const listed = [...request.body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, text = '']) => ({
    number: Number(/<PartNumber>(\d+)</.exec(text)?.[1]),
    etag: /<ETag>(.*?)<\/ETag>/.exec(text)?.[1]?.replaceAll('&quot;', '"'),
  }));
  if (listed.some(({ number }, at) => number <= (listed[at - 1]?.number ?? 0))) {
    return refusal(400, 'InvalidPartOrder');
  }
  const parts = listed.map(({ number, etag }) => {
    const stored = upload.parts.get(number);
    return stored?.etag === etag ? stored : undefined;
  });
  if (listed.length === 0 || parts.includes(undefined)) {
    return refusal(400, 'InvalidPart');
  }
  const bytes = parts.flatMap((stored) => stored?.bytes ?? []);
  if (bytes.slice(0, -1).some(({ length }) => length < smallestPart)) {
    return refusal(400, 'EntityTooSmall');
  }
  state.objects.set(upload.key, { bytes: Buffer.concat(bytes), ...upload.about });
  state.uploads.delete(id);
  const sums = Buffer.concat(bytes.map((one) => createHash('md5').update(one).digest()));
  return xml(
    `<CompleteMultipartUploadResult><ETag>"${md5(sums)}-${bytes.length}"</ETag></CompleteMultipartUploadResult>`,
  );
}

function remove(request: Received, state: S3State): Answer {
  const id = request.query.get('uploadId');
  if (id !== null) {
    return state.uploads.delete(id) ? { status: 204 } : refusal(404, 'NoSuchUpload');
  }
  if (!state.mayDelete) {
    return refusal(403, 'AccessDenied');
  }
  state.objects.delete(keyOf(request));
  return { status: 204 };
}

function xml(text: string): Answer {
  return {
    headers: { 'content-type': 'application/xml' },
    text: `<?xml version="1.0" encoding="UTF-8"?>\n${text}`,
  };
}
