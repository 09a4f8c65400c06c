import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { jsonAs } from './json.ts';
import { type Grant, privateKeyIn, signedToken } from './oauth.ts';

/** A service account of Google Cloud, as the JSON file of its key has it. */
export interface ServiceAccount {
  readonly email: string;
  readonly key: KeyObject;
  /** The project that it belongs to. */
  readonly project: string | undefined;
}

const keyFile = z.object({
  type: z.literal('service_account'),
  client_email: z.email(),
  private_key: z.string(),
  project_id: z.string().optional(),
});

/** The service account in the text of such a file; undefined when there is none. */
export function serviceAccountIn(text: string): ServiceAccount | undefined {
  const found = jsonAs(text, keyFile);
  const key = found === undefined ? undefined : privateKeyIn(found.private_key);
  return found === undefined || key === undefined
    ? undefined
    : { email: found.client_email, key, project: found.project_id };
}

/** The longest that Google takes. */
const assertionLastsS = 3600;

/** What to ask for a token with (RFC 7523). `base` is where to ask; `scope` may be several, with spaces between. */
export function serviceAccountGrant(
  { email, key }: ServiceAccount,
  scope: string,
  base: string,
): (now: Date) => Grant {
  return (now) => {
    const iat = Math.floor(now.getTime() / 1000);
    // Made out to Google itself, whatever proxy carries it there.
    const aud = 'https://oauth2.googleapis.com/token';
    const assertion = signedToken(key, 'RS256', { iss: email, scope, aud, iat, exp: iat + assertionLastsS });
    return {
      vendor: 'Google',
      url: `${base}/token`,
      form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion },
      renew: 'the key of the service account',
    };
  };
}
