import { type KeyObject, X509Certificate } from 'node:crypto';
import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';
import { type Grant, privateKeyIn, type Signature, signedToken } from '../shared/oauth.ts';

export const config = {
  account: field.text({
    label: 'Account ID',
    placeholder: '1234567_SB1',
    help: 'Copy it from Setup, Company, Company Information. A sandbox has its own.',
  }),
  clientId: field.text({
    label: 'Client ID',
    help: 'NetSuite shows it once, when the integration record is made.',
  }),
  certificateId: field.text({
    label: 'Certificate ID',
    help: 'Copy it from Setup, Integration, OAuth 2.0 Client Credentials (M2M) Setup.',
  }),
  privateKey: field.secret({
    label: 'Private key',
    help: 'Paste the PEM text of the key whose certificate you gave to NetSuite, from -----BEGIN to -----END.',
  }),
  certificate: field.optional(
    field.area({
      label: 'Certificate',
      help: 'Paste the certificate too, to be warned in the last month before it ends.',
    }),
  ),
  idPrefix: field.optional(
    field.text({
      label: 'Prefix of external IDs',
      max: 30,
      help: 'Stands before each external ID, so that they differ from those of other systems.',
    }),
  ),
  concurrency: field.optional(
    field.number({
      label: 'Requests at once',
      min: 1,
      max: 15,
      whole: true,
      help: 'All that connects to the account shares 5 or 15 of them. Leave it empty for 2.',
    }),
  ),
  baseUrl: field.optional(
    field.text({ label: 'Base URL', help: 'Only if calls have to go through an address of your own.' }),
  ),
};

/** Where and as whom to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly idPrefix: string;
  readonly concurrency: number;
  /** When the certificate ends, where it was given. */
  readonly endsAt: Date | undefined;
  grant(now: Date): Grant;
}

/** Reads the fields into a login; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { clientId, certificateId, idPrefix = '', concurrency = 2 } = values;
  const home = `https://${accountOf(values.account)}.suitetalk.api.netsuite.com`;
  const base = values.baseUrl === undefined ? home : webAddress(values.baseUrl);
  const { key, alg } = keyOf(values.privateKey);
  if (!/^[\w-]*$/.test(idPrefix)) {
    throw invalid('idPrefix', 'External IDs hold letters, digits, _ and -.', 'Leave out all other signs.');
  }
  return {
    base,
    idPrefix,
    concurrency,
    endsAt: values.certificate === undefined ? undefined : endOf(values.certificate, key),
    grant: (now) => ({
      vendor: 'NetSuite',
      url: `${base}${tokenPath}`,
      form: {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertionOf({ clientId, certificateId, home, key, alg }, now),
      },
      renew: 'the certificate and its mapping in NetSuite (a refresh of a sandbox clears it)',
    }),
  };
}

const tokenPath = '/services/rest/auth/oauth2/v1/token';

/** In host names the account is written in small letters, with - for _. */
function accountOf(typed: string): string {
  const [, account] =
    /^(?:https:\/\/)?([a-z0-9]+(?:[_-][a-z0-9]+)*)(?:\.(?:app|suitetalk\.api)\.netsuite\.com\/?)?$/i.exec(
      typed.trim(),
    ) ?? [];
  if (account === undefined) {
    throw invalid('account', 'This is not the ID of an account.', 'Enter it as 1234567 or 1234567_SB1.');
  }
  return account.toLowerCase().replaceAll('_', '-');
}

/** NetSuite takes no RS256. */
function keyOf(text: string): { readonly key: KeyObject; readonly alg: Signature } {
  const key = privateKeyIn(text);
  const alg = key === undefined ? undefined : signatureOf(key);
  if (key === undefined || alg === undefined) {
    throw invalid(
      'privateKey',
      'This is not a private key in PEM form, of RSA or a NIST curve, without a passphrase.',
      'Paste the whole file, from -----BEGIN to -----END.',
    );
  }
  return { key, alg };
}

function signatureOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Signature | undefined {
  switch (asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return 'ES256';
    case 'secp384r1':
      return 'ES384';
    case 'secp521r1':
      return 'ES512';
    default:
      return asymmetricKeyType === 'rsa' ? 'PS256' : undefined;
  }
}

function endOf(text: string, key: KeyObject): Date {
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
  return new Date(certificate.validTo);
}

interface Signer {
  readonly clientId: string;
  readonly certificateId: string;
  readonly home: string;
  readonly key: KeyObject;
  readonly alg: Signature;
}

/** NetSuite takes an assertion for less than an hour; clocks may differ by some of that. */
const assertionLastsS = 1800;

/** Made out to NetSuite itself, whatever proxy carries it there. */
function assertionOf({ clientId, certificateId, home, key, alg }: Signer, now: Date): string {
  const iat = Math.floor(now.getTime() / 1000);
  return signedToken(
    key,
    alg,
    { iss: clientId, scope: 'rest_webservices', aud: `${home}${tokenPath}`, iat, exp: iat + assertionLastsS },
    { kid: certificateId },
  );
}

const invalid = invalidIn(config);
