import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import type { Login } from './config.ts';
import { Fault } from './errors.ts';

/** `hidden`: the answer does not say. Without the right to list, S3 answers 403 for a file that is not there too. */
export type Found = StoredFile | 'missing' | 'hidden';

/**
 * What may be under the key already. `replace`: anything. `looked`: nothing, and we saw none; a store that knows no
 * conditions is taken without. `unseen`: nothing, and we could not see, so that the store has to refuse by itself.
 */
export type Fresh = 'replace' | 'looked' | 'unseen';

export interface Part {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

/** The few calls of S3 that we make, by key in the one bucket. Everything throws {@link Fault}. */
export interface Store {
  head(key: string, signal?: AbortSignal): Promise<Found>;
  put(key: string, file: About, bytes: Uint8Array, fresh: Fresh, signal?: AbortSignal): Promise<void>;
  begin(key: string, file: About, signal: AbortSignal): Promise<string>;
  part(key: string, upload: string, number: number, bytes: Uint8Array, signal: AbortSignal): Promise<Part>;
  complete(
    key: string,
    upload: string,
    parts: readonly Part[],
    fresh: Fresh,
    signal: AbortSignal,
  ): Promise<void>;
  abandon(key: string, upload: string): Promise<void>;
  remove(key: string): Promise<void>;
  close(): void;
}

type About = Pick<NewFile, 'contentType' | 'mark'>;

/** Kept with a file as `x-amz-meta-activate-mark`. */
const markName = 'activate-mark';

/** Opens nothing yet, but loads the vendor's package. */
export async function openStore(login: Login, applicationName: string): Promise<Store> {
  const sdk = await import('@aws-sdk/client-s3');
  const config = clientConfig(login, applicationName);
  // What is small is tried again by whoever asked. A large upload has more to lose by one bad minute.
  const quick = new sdk.S3Client({ ...config, maxAttempts: 2 });
  const patient = new sdk.S3Client({ ...config, maxAttempts: 8 });
  const Bucket = login.bucket;
  const about = ({ contentType, mark }: About) => ({
    ContentType: contentType,
    Metadata: { [markName]: mark },
  });
  const ask = async <T>(asking: Promise<T>): Promise<T> => {
    try {
      return await asking;
    } catch (error) {
      throw new Fault(error);
    }
  };
  const conditionally = async (
    fresh: Fresh,
    send: (condition: { IfNoneMatch?: '*' }) => Promise<void>,
  ): Promise<void> => {
    try {
      await send(fresh === 'replace' ? {} : { IfNoneMatch: '*' });
    } catch (error) {
      if (fresh !== 'looked' || !(error instanceof Fault && error.isUnsupported)) {
        throw error;
      }
      await send({});
    }
  };
  return {
    head: (key, signal) =>
      ask(quick.send(new sdk.HeadObjectCommand({ Bucket, Key: key }), during(signal))).then(
        ({ ContentLength = 0, Metadata }) => {
          const mark = Metadata?.[markName];
          return { bytes: ContentLength, ...(mark === undefined ? {} : { mark }) };
        },
        (error: unknown) => foundOf(error as Fault),
      ),
    put: (key, file, bytes, fresh, signal) =>
      conditionally(fresh, async (condition) => {
        const put = new sdk.PutObjectCommand({ Bucket, Key: key, Body: bytes, ...about(file), ...condition });
        await ask(quick.send(put, during(signal)));
      }),
    begin: async (key, file, signal) => {
      const begin = new sdk.CreateMultipartUploadCommand({ Bucket, Key: key, ...about(file) });
      const { UploadId = '' } = await ask(patient.send(begin, during(signal)));
      return UploadId;
    },
    part: async (key, upload, number, bytes, signal) => {
      const part = { Bucket, Key: key, UploadId: upload, PartNumber: number, Body: bytes };
      const { ETag } = await ask(patient.send(new sdk.UploadPartCommand(part), during(signal)));
      return { PartNumber: number, ETag };
    },
    complete: (key, upload, parts, fresh, signal) =>
      conditionally(fresh, async (condition) => {
        const whole = {
          Bucket,
          Key: key,
          UploadId: upload,
          MultipartUpload: { Parts: [...parts] },
          ...condition,
        };
        await ask(patient.send(new sdk.CompleteMultipartUploadCommand(whole), during(signal)));
      }),
    abandon: async (key, upload) => {
      await ask(quick.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key: key, UploadId: upload })));
    },
    remove: async (key) => {
      await ask(quick.send(new sdk.DeleteObjectCommand({ Bucket, Key: key })));
    },
    close: () => {
      for (const client of [quick, patient] satisfies S3Client[]) {
        client.destroy();
      }
    },
  };
}

function clientConfig(login: Login, applicationName: string): S3ClientConfig {
  const { region, endpoint, keys } = login;
  return {
    region,
    customUserAgent: applicationName,
    // Without these a far side that has gone quiet is waited for for ever.
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 120_000 },
    ...(keys === undefined ? {} : { credentials: { ...keys } }),
    ...(endpoint === undefined
      ? {}
      : {
          endpoint,
          forcePathStyle: true,
          // Older stores refuse the checksums that newer packages send by default.
          requestChecksumCalculation: 'WHEN_REQUIRED' as const,
          responseChecksumValidation: 'WHEN_REQUIRED' as const,
        }),
  };
}

function during(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

/** The answer to HEAD has no body: 400 and 403 do not say what is wrong. The request after it will. */
function foundOf(fault: Fault): Found {
  switch (fault.status) {
    case 404:
      return 'missing';
    case 400:
    case 403:
      return 'hidden';
    default:
      throw fault;
  }
}
