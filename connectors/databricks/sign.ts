import { type Http, withToken } from '../../engine/contracts/http.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { vendor } from './errors.ts';

/** An {@link Http} that signs each request; a token that has run out is made anew in the middle of whatever is read. */
export function signed(http: Http, { base, signIn }: Login): Http {
  return withToken(http, async () => {
    switch (signIn.by) {
      case 'token':
        return signIn.token;
      case 'oauth': {
        const basic = Buffer.from(`${signIn.clientId}:${signIn.clientSecret}`).toString('base64');
        return grantedToken(http, {
          vendor,
          url: `${base}/oidc/v1/token`,
          form: { grant_type: 'client_credentials', scope: 'all-apis' },
          headers: { authorization: `Basic ${basic}` },
          renew: 'the client secret',
        });
      }
      default:
        return signIn satisfies never;
    }
  });
}
