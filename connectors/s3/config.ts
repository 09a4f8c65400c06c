import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { folderIn, invalidIn } from '../shared/login.ts';
import { isNear } from '../shared/near.ts';

/** What a connection needs. */
export const config = {
  bucket: field.text({ label: 'Bucket', placeholder: 'acme-exports' }),
  prefix: field.optional(
    field.text({
      label: 'Folder (prefix)',
      placeholder: 'activate',
      help: 'Files are written below it. Leave it empty for the whole bucket.',
    }),
  ),
  region: field.optional(
    field.text({
      label: 'Region',
      placeholder: 'eu-central-1',
      help: 'Where the bucket is. You can leave it empty for a store of your own.',
    }),
  ),
  accessKeyId: field.optional(
    field.text({
      label: 'Access key ID',
      help: 'Leave both keys empty to use the role of the machine that Activate runs on.',
    }),
  ),
  secretAccessKey: field.optional(field.secret({ label: 'Secret access key' })),
  sessionToken: field.optional(
    field.secret({ label: 'Session token', help: 'Only for keys that are good for a few hours.' }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Endpoint',
      placeholder: 'https://minio.example.com',
      help: 'Only for stores that speak S3 and are not at Amazon: MinIO, R2, Ceph.',
    }),
  ),
};

/** Where and as whom to write, in full. */
export interface Login {
  readonly bucket: string;
  /** Without slashes around it; empty for none. */
  readonly prefix: string;
  readonly region: string;
  /** A store that is not at Amazon. */
  readonly endpoint: string | undefined;
  /** Undefined: those of the machine. */
  readonly keys: Keys | undefined;
}

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const endpoint = values.baseUrl === undefined ? undefined : endpointOf(values.baseUrl);
  const keys = keysOf(values);
  if (endpoint !== undefined && keys === undefined) {
    // Never those of the machine: a request signed with them would go to whatever host somebody typed.
    throw invalid(
      'accessKeyId',
      'A store with an endpoint of its own needs keys of its own.',
      'Fill in both keys.',
    );
  }
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(values.bucket)) {
    throw invalid(
      'bucket',
      'This is not the name of a bucket.',
      'Give its bare name, without s3:// and without a folder.',
    );
  }
  if (endpoint === undefined && values.region === undefined) {
    throw invalid(
      'region',
      'The region is missing.',
      "It stands beside the bucket's name in the console, as eu-central-1.",
    );
  }
  const prefix = folderIn(values.prefix);
  return { bucket: values.bucket, prefix, region: values.region ?? 'us-east-1', endpoint, keys };
}

function keysOf({ accessKeyId, secretAccessKey, sessionToken }: Values<typeof config>): Keys | undefined {
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) {
    return undefined;
  }
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw invalid(
      accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey',
      'One of the two keys is missing.',
      'Fill in both, or neither for the role of the machine.',
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function endpointOf(text: string): string {
  const fix = 'Write it as https://minio.example.com, without a bucket and without a user.';
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== '') {
    throw invalid('baseUrl', 'This is not the address of a store.', fix);
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalid('baseUrl', 'The address of a store has no ? and no # in it.', fix);
  }
  if (url.protocol === 'http:' && !isNear(url.hostname)) {
    throw invalid(
      'baseUrl',
      'The endpoint is not encrypted.',
      'Use https://, except for a store on this machine or in a private network.',
    );
  }
  return url.href.replace(/\/+$/, '');
}

const invalid = invalidIn(config);
