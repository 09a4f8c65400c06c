import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { folderIn, invalidIn } from '../shared/login.ts';
import { isNear } from '../shared/near.ts';

/** What a connection needs. */
export const config = {
  account: field.text({ label: 'Storage account', placeholder: 'acmeexports' }),
  container: field.text({ label: 'Container', placeholder: 'exports' }),
  prefix: field.optional(
    field.text({
      label: 'Folder (prefix)',
      placeholder: 'activate',
      help: 'Files are written below it. Leave it empty for the whole container.',
    }),
  ),
  accountKey: field.optional(
    field.secret({ label: 'Account key', help: 'Fill in this one or a SAS token, not both.' }),
  ),
  sasToken: field.optional(
    field.secret({
      label: 'SAS token',
      help: 'It begins with sv= or ?sv=, and is best one of this container alone.',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      placeholder: 'https://acmeexports.blob.core.windows.net',
      help: 'Only where the account has an address of its own: a private link, another cloud, Azurite.',
    }),
  ),
};

/** Where and as whom to write, in full. */
export interface Login {
  readonly account: string;
  readonly container: string;
  /** Without slashes around it; empty for none. */
  readonly prefix: string;
  /** The account's address, without a slash at its end. */
  readonly base: string;
  readonly by: Key | Sas;
}

export interface Key {
  readonly kind: 'key';
  readonly bytes: Buffer;
}

export interface Sas {
  readonly kind: 'sas';
  /** Name and value of each of its parts, decoded. */
  readonly parts: Readonly<Record<string, string>>;
  /** Undefined when it ends with a policy of the container, which it does not tell of. */
  readonly endsAt: Date | undefined;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>, now: Date): Login {
  const { account, container } = values;
  if (!/^[a-z0-9]{3,24}$/.test(account)) {
    throw invalid(
      'account',
      'This is not the name of a storage account.',
      'It has 3 to 24 small letters and digits: give it without an address around it.',
    );
  }
  if (!/^(\$root|\$web|(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9])$/.test(container)) {
    throw invalid(
      'container',
      'This is not the name of a container.',
      'It has 3 to 63 small letters, digits and single hyphens: give it without a folder.',
    );
  }
  const prefix = folderIn(values.prefix, (part) => /^\.+$/.test(part) || part.includes('\\'));
  const base =
    values.baseUrl === undefined ? `https://${account}.blob.core.windows.net` : baseOf(values.baseUrl);
  return { account, container, prefix, base, by: credentialOf(values, now) };
}

function credentialOf({ accountKey, sasToken }: Values<typeof config>, now: Date): Key | Sas {
  if (accountKey !== undefined && sasToken === undefined) {
    if (!/^[A-Za-z0-9+/]{40,}={0,2}$/.test(accountKey.trim())) {
      throw invalid(
        'accountKey',
        'This is not an account key.',
        'Copy one under “Access keys”: the key itself, not the connection string.',
      );
    }
    return { kind: 'key', bytes: Buffer.from(accountKey.trim(), 'base64') };
  }
  if (sasToken !== undefined && accountKey === undefined) {
    return sasOf(sasToken, now);
  }
  throw invalid(
    'accountKey',
    accountKey === undefined ? 'There is nothing to sign in with.' : 'There are two things to sign in with.',
    'Fill in either the account key or a SAS token.',
  );
}

/** A token, with its question mark or the whole address in front of it. */
function sasOf(text: string, now: Date): Sas {
  // A plus that somebody has decoded already is one, and no space.
  const query = text
    .trim()
    .replace(/^[^?]*\?/, '')
    .replaceAll('+', '%2B');
  const parts = Object.fromEntries(new URLSearchParams(query));
  const { sv, sig, se } = parts;
  if (sv === undefined || sig === undefined) {
    throw invalid(
      'sasToken',
      'This is not a SAS token.',
      'Copy all of it: it has sv= and sig= in it, split by &.',
    );
  }
  const endsAt = se === undefined ? undefined : new Date(se);
  if (endsAt !== undefined && endsAt.getTime() <= now.getTime()) {
    throw invalid('sasToken', 'The SAS token has ended.', 'Make a new one that ends later.');
  }
  return { kind: 'sas', parts, endsAt };
}

function baseOf(text: string): string {
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search + url.hash !== '') {
    throw invalid(
      'baseUrl',
      'This is not the address of a storage account.',
      'Write it as https://acmeexports.blob.core.windows.net, without a container and without a token.',
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
