import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { type Grant as Asked, privateKeyIn, signedToken } from '../../engine/contracts/oauth.ts';
import { invalid } from './invalid.ts';

/** What to ask for a token with, at this time. */
export type Grant = (now: Date) => Asked;

interface Given {
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly refreshToken?: string | undefined;
  readonly serviceAccount?: string | undefined;
}

const scope = 'https://www.googleapis.com/auth/datamanager';
const vendor = 'Google';

/** One way to sign in, whole: an OAuth client with a refresh token, or a service account. `base` is where to ask. */
export function grantOf(given: Given, base: string): Grant {
  const { clientId, clientSecret, refreshToken, serviceAccount } = given;
  const url = `${base}/token`;
  if (serviceAccount !== undefined) {
    if ([clientId, clientSecret, refreshToken].some((value) => value !== undefined)) {
      throw invalid(
        'serviceAccount',
        'There is a service account and an OAuth client.',
        'Fill in one of the two.',
      );
    }
    const { email, key } = serviceAccountOf(serviceAccount);
    return (now) => ({
      vendor,
      url,
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: assertionOf(email, key, now),
      },
      renew: 'the key of the service account',
    });
  }
  if (clientId === undefined || clientSecret === undefined || refreshToken === undefined) {
    const missing = Object.entries({ clientId, clientSecret, refreshToken } as const).find(
      ([, value]) => value === undefined,
    )?.[0] as 'clientId' | undefined;
    throw invalid(
      missing ?? 'clientId',
      'Something to sign in with is missing.',
      'Fill in the OAuth client ID, its secret and a refresh token, or the key of a service account.',
    );
  }
  const form = {
    grant_type: 'refresh_token',
    client_id: clientId,
    client_secret: clientSecret.trim(),
    refresh_token: refreshToken.trim(),
  };
  return () => ({ vendor, url, form, renew: `a refresh token with the scope ${scope}` });
}

const keyFile = z.object({
  type: z.literal('service_account'),
  client_email: z.email(),
  private_key: z.string(),
});

function serviceAccountOf(text: string): { readonly email: string; readonly key: KeyObject } {
  const { email, key } = keyFileIn(text) ?? {};
  if (email === undefined || key === undefined) {
    throw invalid(
      'serviceAccount',
      'This is not the key of a service account.',
      'Paste the whole JSON file that Google Cloud gave you, from { to }.',
    );
  }
  return { email, key };
}

function keyFileIn(
  text: string,
): { readonly email: string; readonly key: KeyObject | undefined } | undefined {
  try {
    const { client_email: email, private_key: pem } = keyFile.parse(JSON.parse(text));
    return { email, key: privateKeyIn(pem) };
  } catch {
    // What is thrown may quote the key.
    return undefined;
  }
}

/** The longest that Google takes. */
const assertionLastsS = 3600;

/** Made out to Google itself, whatever proxy carries it there. */
function assertionOf(email: string, key: KeyObject, now: Date): string {
  const iat = Math.floor(now.getTime() / 1000);
  return signedToken(key, 'RS256', {
    iss: email,
    scope,
    aud: 'https://oauth2.googleapis.com/token',
    iat,
    exp: iat + assertionLastsS,
  });
}
