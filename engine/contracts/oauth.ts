import { ActivateError } from './errors.ts';
import { errorOf, type Http } from './http.ts';

/** How a token is asked for, by OAuth 2.0 (RFC 6749): a grant with its own fields, to the vendor's token endpoint. */
export interface Grant {
  /** As people call the far side. */
  readonly vendor: string;
  readonly url: string;
  /** `grant_type` and what belongs to it; sent as a form. */
  readonly form: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** What to make anew when the grant is refused, as "a refresh token". */
  readonly renew: string;
}

/**
 * Gets an access token: what {@link withToken} asks for when it needs one. Throws AUTH_REJECTED when the far side does not
 * take the grant (it answers 400 or 401 then), and otherwise as any answer does. The grant is asked for as repeatable: an
 * endpoint that gives each refresh token once is not one for this.
 */
export async function grantedToken(http: Http, grant: Grant): Promise<string> {
  const { vendor, url, form, headers, renew } = grant;
  const answer = await http.send({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', ...headers },
    body: new URLSearchParams(form).toString(),
    repeatable: true,
  });
  if (answer.status === 400 || answer.status === 401) {
    throw new ActivateError('AUTH_REJECTED', `${vendor} does not take the sign-in.`, {
      fix: `Make ${renew} anew and connect again: /activate connect.`,
    });
  }
  if (!answer.ok) {
    throw errorOf(answer, vendor);
  }
  const { access_token: token } = answer.json() as { readonly access_token?: unknown };
  if (typeof token !== 'string' || token === '') {
    throw new ActivateError('UNAVAILABLE', `${vendor} answered the sign-in without a token.`);
  }
  return token;
}
