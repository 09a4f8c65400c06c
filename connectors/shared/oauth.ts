import { constants, createPrivateKey, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto';
import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type Http, type HttpAnswer } from '../../engine/contracts/http.ts';

/** How a token is asked for, by OAuth 2.0 (RFC 6749): a grant with its own fields, to the vendor's token endpoint. */
export type Grant = GrantRequest &
  (
    | {
        /** What to make anew when the grant is refused, as "a refresh token". */
        readonly renew: string;
      }
    | {
        /** What an answer that is not 2xx means, where it says more than its status. */
        readonly refused: (answer: HttpAnswer) => ActivateError;
      }
  );

interface GrantRequest {
  /** As people call the far side. */
  readonly vendor: string;
  readonly url: string;
  /** `grant_type` and what belongs to it. */
  readonly form: Readonly<Record<string, string>>;
  /** Sent as JSON, and not as the form that the standard wants. */
  readonly asJson?: true;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Gets an access token: what {@link withToken} asks for when it needs one. Throws AUTH_REJECTED when the far side does not
 * take the grant (it answers 400 or 401 then), and otherwise as any answer does. The grant is asked for as repeatable: an
 * endpoint that gives each refresh token once is not one for this.
 */
export async function grantedToken(http: Http, grant: Grant): Promise<string> {
  const { vendor, url, form, asJson = false, headers } = grant;
  const type = asJson ? 'application/json' : 'application/x-www-form-urlencoded';
  const answer = await http.send({
    method: 'POST',
    url,
    headers: { 'content-type': type, accept: 'application/json', ...headers },
    body: asJson ? JSON.stringify(form) : new URLSearchParams(form).toString(),
    repeatable: true,
  });
  if (!answer.ok) {
    throw 'refused' in grant ? grant.refused(answer) : refusalOf(answer, vendor, grant.renew);
  }
  const { data } = granted.safeParse(answer.json());
  if (data === undefined) {
    throw new ActivateError('UNAVAILABLE', `${vendor} answered the sign-in without a token.`);
  }
  return data.access_token;
}

const granted = z.object({ access_token: z.string().min(1) });

function refusalOf(answer: HttpAnswer, vendor: string, renew: string): ActivateError {
  return answer.status === 400 || answer.status === 401
    ? new ActivateError('AUTH_REJECTED', `${vendor} does not take the sign-in.`, {
        fix: `Make ${renew} anew and connect again: /activate connect.`,
      })
    : errorOf(answer, vendor);
}

// Signed tokens ------------------------------------------------------------------------------------------------------

const pss: Omit<SignKeyObjectInput, 'key'> = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
const ecdsa: Omit<SignKeyObjectInput, 'key'> = { dsaEncoding: 'ieee-p1363' };

/** Signatures by their names in RFC 7518: the first two are made with an RSA key, the others with one of their curve. */
const signatures = {
  RS256: { hash: 'sha256', how: {} },
  PS256: { hash: 'sha256', how: pss },
  ES256: { hash: 'sha256', how: ecdsa },
  ES384: { hash: 'sha384', how: ecdsa },
  ES512: { hash: 'sha512', how: ecdsa },
} as const;
export type Signature = keyof typeof signatures;

/** A JSON Web Token (RFC 7519) of these claims. `header` is what it says of itself beside its type and signature. */
export function signedToken(
  key: KeyObject,
  alg: Signature,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, string>> = {},
): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { hash, how } = signatures[alg];
  const signed = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`;
  return `${signed}.${sign(hash, Buffer.from(signed), { key, ...how }).toString('base64url')}`;
}

/**
 * The private key in a PEM text; undefined when there is none, or it has a passphrase. A form may have made one line of
 * the text, or `\n` of its line breaks.
 */
export function privateKeyIn(text: string): KeyObject | undefined {
  const found = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----([\s\S]+?)-----END \1-----/.exec(
    text.replaceAll('\\n', '\n'),
  );
  const [, kind = '', body = ''] = found ?? [];
  const lines = body.replaceAll(/\s+/g, '').replaceAll(/.{64}/g, '$&\n').trimEnd();
  try {
    return createPrivateKey(`-----BEGIN ${kind}-----\n${lines}\n-----END ${kind}-----\n`);
  } catch {
    // What is thrown may quote the key.
    return undefined;
  }
}
