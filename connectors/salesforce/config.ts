import type { KeyObject } from 'node:crypto';
import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { invalidIn } from '../shared/login.ts';
import { privateKeyIn, signedToken } from '../shared/oauth.ts';

export const config = {
  host: field.text({
    label: 'My Domain',
    placeholder: 'acme.my.salesforce.com',
    help: 'Copy it from Setup, My Domain. A sandbox has its own, as acme--dev.sandbox.my.salesforce.com.',
  }),
  clientId: field.text({
    label: 'Consumer key',
    max: 300,
    help: 'Copy it from the settings of your External Client App.',
  }),
  clientSecret: field.optional(
    field.secret({
      label: 'Consumer secret',
      help: 'For the client credentials flow. Leave it empty if you sign in with a private key.',
    }),
  ),
  username: field.optional(
    field.text({
      label: 'User name',
      help: 'For the JWT bearer flow: the Salesforce user to act as, as integration@acme.com.',
    }),
  ),
  privateKey: field.optional(
    field.secret({
      label: 'Private key',
      help: 'For the JWT bearer flow: the PEM text of the key whose certificate you gave to the app.',
    }),
  ),
  taskKeyField: field.optional(
    field.text({
      label: 'Key field of tasks',
      placeholder: 'Activate_Key__c',
      help: 'For tasks: a text field of Activity that is an External ID and unique. It keeps tasks from being made twice.',
    }),
  ),
  apiShare: field.optional(
    field.number({
      label: 'Share of API calls (%)',
      min: 1,
      max: 100,
      whole: true,
      help: 'Stop when this share of the calls that your org has a day is used up, by whomever. Leave it empty for 80.',
    }),
  ),
  baseUrl: field.optional(
    field.text({ label: 'Base URL', help: 'Only if calls have to go through an address of your own.' }),
  ),
};

/** Where and as whom to sign in, in full. */
export interface Login {
  /** Address of the org that people know: `https://acme.my.salesforce.com`. */
  readonly home: string;
  /** Where calls go, without a final slash. */
  readonly base: string;
  readonly taskKeyField: string | undefined;
  /** Of the org's daily calls, 0 to 1. */
  readonly apiShare: number;
  /** What to post for a token, at this time. */
  grant(now: Date): Readonly<Record<string, string>>;
}

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const home = `https://${hostOf(values.host)}`;
  return {
    home,
    base: values.baseUrl === undefined ? home : baseOf(values.baseUrl),
    taskKeyField: values.taskKeyField === undefined ? undefined : nameOf(values.taskKeyField),
    apiShare: (values.apiShare ?? 80) / 100,
    grant: grantOf(values, home),
  };
}

/** Anchored at both ends: `acme.my.salesforce.com.evil.example` and `evil.example/.my.salesforce.com` are no hosts of it. */
const myDomain = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+my\.salesforce\.com$/;

function hostOf(typed: string): string {
  const text = typed.trim();
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  const url = parsedUrl(address);
  const plain = url !== undefined && url.username === '' && url.password === '' && url.port === '';
  if (url === undefined || !plain || !myDomain.test(url.hostname)) {
    throw invalid(
      'host',
      'This is not a My Domain address of Salesforce.',
      'Enter one like acme.my.salesforce.com, as Setup, My Domain shows it.',
    );
  }
  return url.hostname;
}

function baseOf(text: string): string {
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw invalid(
      'baseUrl',
      'This is not an address of the web, or has a path.',
      'Enter it as https://salesforce.example.com.',
    );
  }
  return url.origin;
}

function nameOf(text: string): string {
  if (!/^[A-Za-z]\w*$/.test(text)) {
    throw invalid('taskKeyField', 'This is not the API name of a field.', 'Enter it as Activate_Key__c.');
  }
  return text;
}

function grantOf(values: Values<typeof config>, home: string): Login['grant'] {
  const { clientId, clientSecret, username, privateKey } = values;
  if (clientSecret !== undefined && privateKey === undefined) {
    return () => ({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    });
  }
  if (privateKey === undefined || clientSecret !== undefined) {
    throw invalid(
      'clientSecret',
      'One way to sign in is needed: a consumer secret, or a private key.',
      'Fill in the consumer secret, or the private key and the user name.',
    );
  }
  if (username === undefined) {
    throw invalid(
      'username',
      'The user name is missing.',
      'Enter the user that the private key signs in as.',
    );
  }
  const key = keyOf(privateKey);
  return (now) => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: assertionOf({ iss: clientId, sub: username, aud: home }, key, now),
  });
}

function keyOf(text: string): KeyObject {
  const key = privateKeyIn(text);
  if (key?.asymmetricKeyType === 'rsa') {
    return key;
  }
  throw invalid(
    'privateKey',
    'This is not an RSA private key in PEM form without a passphrase.',
    'Paste the whole file, from -----BEGIN to -----END.',
  );
}

/** Salesforce takes an assertion for at most five minutes; clocks may differ by some of that. */
const assertionLastsS = 180;

function assertionOf(claims: Readonly<Record<string, string>>, key: KeyObject, now: Date): string {
  return signedToken(key, 'RS256', {
    ...claims,
    exp: Math.floor(now.getTime() / 1000) + assertionLastsS,
  });
}

const invalid = invalidIn(config);
