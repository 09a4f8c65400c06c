import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import type { Json } from './teams-cards.ts';

export const APP = '11111111-2222-3333-4444-555555555555';
export const TENANT = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
export const SECRET = 'app-secret-of-the-fake';
export const ISSUER = 'https://api.botframework.com';

export interface FakePerson {
  /** Entra object id. */
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** Only in teams; when false, only Graph knows them. */
  readonly listed?: boolean;
  /** What the roster and Graph say differently of them: `userRole`, `tenantId`, `userType`, … */
  readonly more?: Json;
}

export interface FakeChannel {
  readonly id: string;
  readonly name?: string;
  readonly team: string;
}

export interface FakeTeam {
  readonly id: string;
  readonly name: string;
  readonly groupId: string;
}

/** A message that the bot posted. */
export interface Posted {
  readonly id: string;
  /** Without the thread. */
  readonly conversation: string;
  readonly thread?: string;
  activity: Json;
  /** Whose message it is when only they see it. */
  readonly onlyFor?: string;
  edits: number;
  deleted: boolean;
}

export interface State {
  readonly people: FakePerson[];
  readonly teams: FakeTeam[];
  readonly channels: FakeChannel[];
  readonly messages: Posted[];
  /** What the service would refuse, and cards that a client would not show. */
  readonly violations: string[];
  readonly uploads: { readonly path: string; readonly range: string; readonly body: Buffer }[];
  /** Conversations that the bot was removed from. */
  readonly closed: Set<string>;
  /** Whether people can be told something unseen by others. */
  targeted: boolean;
  members: number;
  next: number;
}

/** The id of a person as Teams has it towards this bot. */
export function teamsId(person: string): string {
  return `29:1${person.replaceAll('-', '')}`;
}

export function directOf(person: string): string {
  return `a:1${person.replaceAll('-', '')}`;
}

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: Json;
}

export function makeKey(kid: string): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', endorsements: ['msteams'] };
  return { kid, privateKey, jwk };
}

/** A token as the Bot Service signs them; the claims given come over the usual ones. */
export function signToken(key: SigningKey, serviceUrl: string, claims: Json = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: ISSUER,
    aud: APP,
    nbf: now - 60,
    exp: now + 3600,
    serviceurl: serviceUrl,
    ...claims,
  };
  const head = { alg: 'RS256', typ: 'JWT', kid: key.kid };
  const signed = [head, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), key.privateKey).toString('base64url')}`;
}

/** Whether an assertion was signed with the key of this certificate, for this address and app. */
export function isAssertion(assertion: string, certificate: string, audience: string): boolean {
  const [head = '', payload = '', signature = ''] = assertion.split('.');
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string };
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Json;
  const signed = verify(
    'sha256',
    Buffer.from(`${head}.${payload}`),
    { key: createPublicKey(certificate), padding: 6, saltLength: 32 },
    Buffer.from(signature, 'base64url'),
  );
  return signed && alg === 'PS256' && claims['aud'] === audience && claims['iss'] === APP;
}
