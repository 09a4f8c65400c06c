import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { type Http, withToken } from '../../engine/contracts/http.ts';
import { grantedToken, signedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { vendor } from './errors.ts';

/** Of tokens signed by a key; an hour is the most that Snowflake takes. */
const lifeS = 59 * 60;

const types = { key: 'KEYPAIR_JWT', token: 'PROGRAMMATIC_ACCESS_TOKEN', oauth: 'OAUTH' } as const;

/** An {@link Http} that signs each request; a token that has run out is made anew in the middle of whatever is read. */
export function signed(http: Http, { base, signIn }: Login, now: () => Date): Http {
  const token = async (): Promise<string> => {
    switch (signIn.by) {
      case 'key':
        return keyToken(signIn, now());
      case 'token':
        return signIn.token;
      case 'oauth': {
        const { clientId, clientSecret, refreshToken } = signIn;
        const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
        return grantedToken(http, {
          vendor,
          url: `${base}/oauth/token-request`,
          form: { grant_type: 'refresh_token', refresh_token: refreshToken },
          headers: { authorization: `Basic ${basic}` },
          renew: 'the refresh token',
        });
      }
      default:
        return signIn satisfies never;
    }
  };
  return withToken(http, token, (value) => ({
    authorization: `Bearer ${value}`,
    'x-snowflake-authorization-token-type': types[signIn.by],
  }));
}

/** The token that proves a private key, by whose it is and by the fingerprint of its public half. */
function keyToken(
  { account, user, key }: { readonly account: string; readonly user: string; readonly key: KeyObject },
  now: Date,
): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const fingerprint = `SHA256:${createHash('sha256').update(spki).digest('base64')}`;
  const iat = Math.floor(now.getTime() / 1000);
  const sub = `${account}.${user}`;
  return signedToken(key, 'RS256', { iss: `${sub}.${fingerprint}`, sub, iat, exp: iat + lifeS });
}
