import { type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';
import type { HttpRequest } from '../../engine/contracts/http.ts';
import { invalidIn, webAddress } from '../shared/login.ts';
import { privateKeyIn } from '../shared/oauth.ts';

export const config = {
  workspace: field.text({
    label: 'Workspace ID',
    help: 'Copy it from the address of the model in Anaplan: 32 letters and digits.',
  }),
  model: field.text({
    label: 'Model ID',
    help: 'Copy it from the address of the model in Anaplan: 32 letters and digits.',
  }),
  email: field.optional(
    field.text({
      label: 'E-mail address',
      help: 'Of the user to act as. With single sign-on it has to be an exception user. Leave it empty for a certificate.',
    }),
  ),
  password: field.optional(
    field.secret({
      label: 'Password',
      help: 'Of that user. Leave it empty if you sign in with a certificate.',
    }),
  ),
  certificate: field.optional(
    field.area({
      label: 'Certificate',
      help: 'Paste the certificate that you registered with Anaplan, as PEM text. It comes from a public authority.',
    }),
  ),
  privateKey: field.optional(
    field.secret({ label: 'Private key', help: 'Paste the RSA key of the certificate, as PEM text.' }),
  ),
  baseUrl: field.optional(
    field.text({ label: 'Base URL', help: 'Only if calls have to go through an address of your own.' }),
  ),
};

/** Where and as whom to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly signIn: string;
  readonly workspace: string;
  readonly model: string;
  readonly endsAt: Date | undefined;
  /** What to sign in with, at this time. */
  credentials(now: Date): Pick<HttpRequest, 'headers' | 'json'>;
}

/** Reads the fields into a login; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const own = webAddress(values.baseUrl);
  return {
    base: own ?? 'https://api.anaplan.com',
    signIn: `${own ?? 'https://auth.anaplan.com'}/token/authenticate`,
    workspace: idOf('workspace', values.workspace),
    model: idOf('model', values.model),
    ...signInOf(values),
  };
}

function idOf(name: 'workspace' | 'model', typed: string): string {
  const id = typed.trim();
  if (!/^[0-9a-f]{32}$/i.test(id)) {
    throw invalid(name, 'This is not an ID of Anaplan.', 'Enter the 32 letters and digits from the address.');
  }
  return id;
}

type SignIn = Pick<Login, 'credentials' | 'endsAt'>;

/** One way to sign in, whole. */
function signInOf({ email, password, certificate, privateKey }: Values<typeof config>): SignIn {
  const byPassword = email !== undefined || password !== undefined;
  const byCertificate = certificate !== undefined || privateKey !== undefined;
  if (byPassword && byCertificate) {
    throw invalid('certificate', 'There is a password and a certificate.', 'Fill in one of the two.');
  }
  return byCertificate ? withCertificate(certificate, privateKey) : withPassword(email, password);
}

function withPassword(email: string | undefined, password: string | undefined): SignIn {
  if (email === undefined || password === undefined) {
    throw missing(email === undefined ? 'email' : 'password');
  }
  const authorization = `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`;
  return { endsAt: undefined, credentials: () => ({ headers: { authorization } }) };
}

function withCertificate(certificate: string | undefined, privateKey: string | undefined): SignIn {
  if (certificate === undefined || privateKey === undefined) {
    throw missing(certificate === undefined ? 'certificate' : 'privateKey');
  }
  const key = privateKeyIn(privateKey);
  if (key?.asymmetricKeyType !== 'rsa') {
    throw invalid(
      'privateKey',
      'This is not an RSA private key in PEM form without a passphrase.',
      'Paste the whole file, from -----BEGIN to -----END.',
    );
  }
  const { pem, endsAt } = certificateOf(certificate, key);
  const headers = { authorization: `CACertificate ${Buffer.from(pem).toString('base64')}` };
  return { endsAt, credentials: (now) => ({ headers, json: proofOf(key, now) }) };
}

function certificateOf(text: string, key: KeyObject): { readonly pem: string; readonly endsAt: Date } {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(text.replaceAll('\\n', '\n'));
  } catch {
    throw invalid(
      'certificate',
      'This is not a certificate in PEM form.',
      'Paste the whole file, from -----BEGIN CERTIFICATE to -----END.',
    );
  }
  if (!certificate.checkPrivateKey(key)) {
    throw invalid(
      'certificate',
      'This certificate belongs to another private key.',
      'Paste the certificate and the key that were made together.',
    );
  }
  return { pem: certificate.toString(), endsAt: new Date(certificate.validTo) };
}

/** The second form of it: what is signed begins with the time, so that it can't be used again later. */
function proofOf(key: KeyObject, now: Date): object {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(now.getTime() / 1000)));
  const data = Buffer.concat([time, randomBytes(92)]);
  return {
    encodedDataFormat: 'v2',
    encodedData: data.toString('base64'),
    encodedSignedData: sign('sha512', data, key).toString('base64'),
  };
}

function missing(name: keyof typeof config): ActivateError {
  return invalid(
    name,
    'Something to sign in with is missing.',
    'Fill in an e-mail address and its password, or a certificate and its private key.',
  );
}

export const invalid = invalidIn(config);
