import { serviceAccountGrant, serviceAccountIn } from '../shared/google.ts';
import { invalidAt } from '../shared/login.ts';
import type { Grant as Asked } from '../shared/oauth.ts';

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
      throw invalidAt(
        'serviceAccount',
        'There is a service account and an OAuth client.',
        'Fill in one of the two.',
      );
    }
    const account = serviceAccountIn(serviceAccount);
    if (account === undefined) {
      throw invalidAt(
        'serviceAccount',
        'This is not the key of a service account.',
        'Paste the whole JSON file that Google Cloud gave you, from { to }.',
      );
    }
    return serviceAccountGrant(account, scope, base);
  }
  if (clientId === undefined || clientSecret === undefined || refreshToken === undefined) {
    const missing = Object.entries({ clientId, clientSecret, refreshToken } as const).find(
      ([, value]) => value === undefined,
    )?.[0] as 'clientId' | undefined;
    throw invalidAt(
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
