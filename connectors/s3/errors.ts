import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';
import type { Login } from './config.ts';

/** What the vendor's package threw, in the few things that matter. */
export class Fault extends Error {
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  /** S3's own word for it, `NoSuchBucket` say; what the package calls it where S3 sent none. */
  readonly word: string;
  /** The region that the bucket is in, when it is not the one asked. */
  readonly region: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(thrown: unknown) {
    const given = thrown as Thrown;
    super(given.message ?? String(thrown));
    this.status = given.$metadata?.httpStatusCode;
    this.word = given.Code ?? given.code ?? given.name ?? '';
    const headers = given.$response?.headers ?? {};
    this.region = given.Region ?? headers['x-amz-bucket-region'];
    const seconds = Number(headers['retry-after']);
    this.retryAfterMs = seconds > 0 ? seconds * 1000 : undefined;
  }

  get isUnsupported(): boolean {
    return this.status === 501 || this.word === 'NotImplemented';
  }

  /** Nobody can say whether it was done: no answer came, or one that says nothing. */
  get isOpen(): boolean {
    return this.status === undefined || this.status < 300 || (this.status >= 500 && !this.isUnsupported);
  }
}

interface Thrown {
  readonly name?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly message?: string;
  readonly Region?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

type Sentence = readonly [
  code: ErrorCode,
  message: string,
  fix?: string,
  fields?: Readonly<Record<string, string>>,
];

/** A fault as a sentence for the person. `begun`: it may have been done in spite of it. */
export function explain(fault: Fault, login: Login, begun = false): ActivateError {
  const [code, message, fix, fields] = ofWord(fault, login) ?? ofStatus(fault, begun);
  // The word alone as the cause: what else S3 sends along repeats the request, and with it the token.
  return new ActivateError(code, without(login, message), {
    cause: without(login, `${fault.word} ${fault.status ?? ''}`.trim()),
    ...(fix === undefined ? {} : { fix }),
    ...(fields === undefined ? {} : { fields }),
    ...(fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }),
  });
}

const newKeys = 'Make new keys and connect again, or check those that were pasted.';

function ofWord(fault: Fault, login: Login): Sentence | undefined {
  switch (fault.word) {
    case 'InvalidAccessKeyId':
    case 'UnrecognizedClientException':
      return [
        'AUTH_REJECTED',
        'S3 does not know this access key.',
        newKeys,
        { accessKeyId: 'S3 does not know it.' },
      ];
    case 'SignatureDoesNotMatch':
      return [
        'AUTH_REJECTED',
        'The secret access key does not belong to the access key.',
        newKeys,
        { secretAccessKey: 'It does not belong to the access key.' },
      ];
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'TokenRefreshRequired':
    case 'InvalidToken':
      return [
        'AUTH_REJECTED',
        'The session token is not good any more.',
        'Connect again with a new one, or with keys that do not end.',
        { sessionToken: 'It is not good any more.' },
      ];
    case 'CredentialsProviderError':
      return [
        'AUTH_REJECTED',
        'The machine that Activate runs on has no role that S3 takes.',
        'Give it one, or fill in an access key and its secret.',
        { accessKeyId: 'Fill in both keys, or give the machine a role.' },
      ];
    case 'NoSuchBucket':
      return wrong('bucket', `There is no bucket named ${login.bucket}.`, 'Check its name and the account.');
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
    case 'TemporaryRedirect':
      return elsewhere(fault);
    case 'RequestTimeTooSkewed':
      return [
        'CONFIG_INVALID',
        'The clock of the machine that Activate runs on is wrong by more than 15 minutes.',
        'Set the clock, best by a time server.',
      ];
    case 'EntityTooLarge':
      return ['INPUT_INVALID', 'S3 says that the file is too large.', 'Split it into parts in the settings.'];
    case 'SlowDown':
    case 'TooManyRequests':
    case 'ThrottlingException':
      return ['RATE_LIMITED', 'S3 asks for a pause.'];
    default:
      return fault.word.startsWith('KMS.') ? denied('the key that the bucket is encrypted with') : undefined;
  }
}

function ofStatus(fault: Fault, begun: boolean): Sentence {
  const { status, word } = fault;
  switch (status) {
    case 301:
    case 307:
      return elsewhere(fault);
    case 401:
      return ['AUTH_REJECTED', 'S3 does not accept these keys.', newKeys];
    case 403:
      return denied('this bucket and folder');
    case 404:
      return ['NOT_FOUND', `S3 does not know this place (${word}).`, 'Check bucket, region and endpoint.'];
    case 409:
      return ['UNAVAILABLE', 'Somebody else was writing to the same name.', 'It is tried again by itself.'];
    case 501:
      return [
        'CONFIG_INVALID',
        'The store can neither say whether a file is there nor refuse to replace it.',
        'Allow s3:ListBucket on the bucket, so that it can say.',
      ];
    case 429:
    // Whatever the word, S3 asks for fewer requests with it; to HEAD it sends no word.
    case 503:
      return ['RATE_LIMITED', 'S3 asks for a pause.'];
    default:
  }
  if (word === 'RequestTimeout' || fault.isOpen) {
    const what =
      status === undefined || status < 300
        ? 'S3 gave no answer'
        : `S3 can not do this now (status ${status})`;
    return begun
      ? [
          'OUTCOME_UNKNOWN',
          `${what}, and does not say whether the file is written.`,
          'It is looked at again by itself.',
        ]
      : ['UNAVAILABLE', `${what}: ${word}.`, 'It is tried again by itself.'];
  }
  return ['INPUT_INVALID', `S3 refuses this: ${word} (status ${status}). It says: ${fault.message}`];
}

function denied(what: string): Sentence {
  return [
    'PERMISSION_DENIED',
    `These keys may not write with ${what}.`,
    'Allow s3:PutObject, s3:GetObject, s3:AbortMultipartUpload on the folder, and the use of its encryption key.',
  ];
}

function elsewhere({ region }: Fault): Sentence {
  const place = region === undefined ? 'another region' : `the region ${region}`;
  return wrong(
    'region',
    `The bucket is in ${place}.`,
    `Correct the region${region === undefined ? '' : ` to ${region}`}.`,
  );
}

function wrong(name: string, message: string, fix: string): Sentence {
  return ['CONFIG_INVALID', message, fix, { [name]: message }];
}

function without({ keys }: Login, text: string): string {
  const secrets = [keys?.secretAccessKey, keys?.sessionToken].filter((secret) => secret !== undefined);
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}
