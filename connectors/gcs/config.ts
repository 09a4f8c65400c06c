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
  accessId: field.text({
    label: 'Access ID',
    placeholder: 'GOOG1E…',
    help: 'Of an HMAC key, best of a service account for Activate alone.',
  }),
  secret: field.secret({ label: 'Secret of the key' }),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      placeholder: 'https://storage.googleapis.com',
      help: 'Only where another address has to be called: that of a region, or a private one.',
    }),
  ),
};

/** Where and as whom to write, in full. */
export interface Login {
  readonly bucket: string;
  /** Without slashes around it; empty for none. */
  readonly prefix: string;
  /** Without a slash at its end. The bucket is part of the path: a certificate is for no bucket with a dot in its name. */
  readonly base: string;
  readonly accessId: string;
  readonly secret: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { bucket, accessId, secret, baseUrl = 'https://storage.googleapis.com' } = values;
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) {
    throw invalid(
      'bucket',
      'This is not the name of a bucket.',
      'Give its bare name, without gs:// and without a folder.',
    );
  }
  if (!/^GOO[A-Z0-9]{10,}$/.test(accessId)) {
    throw invalid(
      'accessId',
      'This is not the access ID of an HMAC key.',
      'It begins with GOOG: the name of a service account or its JSON key will not do.',
    );
  }
  const prefix = folderIn(values.prefix);
  return { bucket, prefix, base: baseOf(baseUrl), accessId, secret };
}

function baseOf(text: string): string {
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search + url.hash !== '') {
    throw invalid(
      'baseUrl',
      'This is not the address of a store.',
      'Write it as https://storage.googleapis.com, without a bucket.',
    );
  }
  if (url.protocol === 'http:' && !isNear(url.hostname)) {
    throw invalid(
      'baseUrl',
      'The address is not encrypted.',
      'Use https://, except for a store on this machine or in a private network.',
    );
  }
  return url.href.replace(/\/+$/, '');
}

export const invalid = invalidIn(config);
