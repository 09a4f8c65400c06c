import { constants, createHash, createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { lost } from './errors.ts';

/**
 * What the bot proves with that it is the app: a secret, or files with a certificate and its key, in PEM. Files are read
 * anew for each token, so that they can be changed while it runs.
 */
export type Credential =
  | { readonly type: 'secret'; readonly secret: string }
  | { readonly type: 'certificate'; readonly certificateFile: string; readonly keyFile: string };

/** Tokens of the app for one service, `https://api.botframework.com` say. Asked for once, kept until shortly before they end. */
export type Tokens = (resource: string) => Promise<string>;

const TIMEOUT_MS = 10_000;
/** A token is not used in its last five minutes, for it has to last for a whole request. */
const SPARE_MS = 5 * 60_000;
const ASSERTION_SECONDS = 600;

/**
 * The client credentials flow, by hand: the library of the SDK takes no address but Microsoft's own, and no proxy's.
 * AUTH_REJECTED when the app's secret or certificate isn't taken.
 */
export function createTokens(config: {
  readonly appId: string;
  readonly tenantId: string;
  readonly credential: Credential;
  readonly loginUrl: string;
  readonly now: () => Date;
}): Tokens {
  const url = `${config.loginUrl.replace(/\/+$/, '')}/${encodeURIComponent(config.tenantId)}/oauth2/v2.0/token`;
  const held = new Map<string, { readonly token: Promise<string>; until: number }>();
  return (resource) => {
    const there = held.get(resource);
    if (there !== undefined && there.until > config.now().getTime()) {
      return there.token;
    }
    const asked = ask(url, resource, config.appId, config.credential, config.now());
    const entry = { token: asked.then(({ token }) => token), until: Number.POSITIVE_INFINITY };
    held.set(resource, entry);
    asked.then(
      ({ seconds }) => {
        entry.until = config.now().getTime() + Math.max(0, seconds * 1000 - SPARE_MS);
      },
      () => held.delete(resource),
    );
    return entry.token;
  };
}

async function ask(
  url: string,
  resource: string,
  appId: string,
  credential: Credential,
  now: Date,
): Promise<{ readonly token: string; readonly seconds: number }> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: appId,
    scope: `${resource}/.default`,
    ...(await proof(url, appId, credential, now)),
  });
  const { status, text } = await fetched(url, form);
  const answer = parse(text);
  if (status === 200 && typeof answer?.access_token === 'string') {
    return { token: answer.access_token, seconds: Number(answer.expires_in) || 0 };
  }
  const reason = typeof answer?.error === 'string' ? answer.error : `status ${status}`;
  if (status >= 500 || status === 429 || answer === undefined) {
    throw new ActivateError('UNAVAILABLE', `Microsoft's sign-in is not available (${reason}).`, {
      cause: { reason, status },
    });
  }
  throw new ActivateError('AUTH_REJECTED', `Microsoft refused to sign the bot in (${reason}).`, {
    cause: { reason, status },
    fix: 'Check TEAMS_APP_ID, TEAMS_TENANT_ID and the secret or certificate of the app registration: it may have expired.',
  });
}

async function fetched(url: string, form: URLSearchParams): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: form,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch (thrown) {
    // Nothing was posted: to ask for a token twice does no harm.
    throw new ActivateError('UNAVAILABLE', `Microsoft's sign-in can't be reached.`, {
      cause: lost(thrown),
      fix: 'Check the network between Activate and Microsoft.',
    });
  }
}

function parse(text: string): { access_token?: unknown; expires_in?: unknown; error?: unknown } | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    // A proxy's page; the caller words it.
    return undefined;
  }
}

async function proof(
  url: string,
  appId: string,
  credential: Credential,
  now: Date,
): Promise<Record<string, string>> {
  switch (credential.type) {
    case 'secret':
      return { client_secret: credential.secret };
    case 'certificate':
      return {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await assertion(url, appId, credential, now),
      };
    default:
      return credential satisfies never;
  }
}

/** A short-lived statement that we are the app, signed with the certificate's key (PS256, as Entra asks for). */
async function assertion(
  url: string,
  appId: string,
  files: Extract<Credential, { type: 'certificate' }>,
  now: Date,
): Promise<string> {
  const { certificate, key } = await readPair(files);
  const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
  const seconds = Math.floor(now.getTime() / 1000);
  const claims = { aud: url, iss: appId, sub: appId, jti: randomUUID(), nbf: seconds };
  const signed = [
    { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint },
    { ...claims, exp: seconds + ASSERTION_SECONDS },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(signed), {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
  return `${signed}.${signature.toString('base64url')}`;
}

async function readPair({ certificateFile, keyFile }: Extract<Credential, { type: 'certificate' }>) {
  try {
    const certificate = new X509Certificate(await readFile(certificateFile));
    const key = createPrivateKey(await readFile(keyFile));
    if (!certificate.checkPrivateKey(key)) {
      throw new Error('they do not belong together');
    }
    return { certificate, key };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ActivateError('CONFIG_INVALID', `The certificate for Teams can't be used: ${why}.`, {
      cause,
      fix: 'Check TEAMS_CERTIFICATE_FILE and TEAMS_KEY_FILE: two files in PEM, the key without a password.',
    });
  }
}
