import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';
import type { Within } from './reader.ts';

// What databases that are reached by a protocol of their own have in common when something goes wrong.

/** What becomes an {@link ActivateError}. */
export type Sentence = readonly [
  code: ErrorCode,
  message: string,
  fix: string,
  fields?: Readonly<Record<string, string>>,
];

/** The error, without the password in it. `cause` may not hold values of rows. */
export function errorOf(
  [code, message, fix, fields]: Sentence,
  password: string | undefined,
  cause: string,
): ActivateError {
  return new ActivateError(code, without([password], message), {
    fix: without([password], fix),
    ...(fields === undefined ? {} : { fields }),
    cause: without([password], cause),
  });
}

/** A text in which no secret shows. */
export function without(secrets: readonly (string | undefined)[], text: string): string {
  return secrets.reduce<string>(
    (rest, secret) => (secret === undefined || secret === '' ? rest : rest.replaceAll(secret, '***')),
    text,
  );
}

/** “1 second”, “2.5 seconds”. */
export function secondsOf(ms: number): string {
  return ms === 1000 ? '1 second' : `${ms / 1000} seconds`;
}

/** Where in the person's own text, by the `position` in the one that was sent, from 1: characters, not UTF-16 units. */
export function placeOf(position: string | undefined, query: Within | undefined): string {
  if (position === undefined || query === undefined) {
    return '';
  }
  const text = [...query.sql];
  const index = Number(position) - 1 - query.at;
  return index < 0 || index > text.length ? '' : placeAfter(text.slice(0, index).join(''));
}

/** The place behind the beginning of a person's text. */
export function placeAfter(beginning: string): string {
  const lines = beginning.split('\n');
  return ` (line ${lines.length}, column ${[...(lines.at(-1) ?? '')].length + 1})`;
}

/** What to do about each trouble of a network. */
export interface NetworkAdvice {
  readonly unknownName: string;
  readonly nobodyAnswers: string;
  readonly noEncryption: string;
  /** Where the server has to prove that it knows the password. */
  readonly impostor?: string;
  readonly lost: string;
}

const tlsCodes = /^(ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_|EPROTO|HANDSHAKE_)/;

/** What a client threw that the server did not send. `at` is the server's place as a person knows it. */
export function ofNetwork(
  { message: says, code = '' }: { readonly message: string; readonly code?: string },
  host: string,
  at: string,
  advice: NetworkAdvice,
): Sentence {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const message = `No server is known by the name ${host}.`;
    return ['UNAVAILABLE', message, advice.unknownName, { host: message }];
  }
  if (code === 'ECONNREFUSED' || code === 'ENOENT') {
    const message = `Nothing answers at ${at}.`;
    return ['UNAVAILABLE', message, advice.nobodyAnswers, { host: message }];
  }
  // `pg` gives this one and the next but one no code, only words.
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT' || says.includes('does not support SSL')) {
    const message = `${at} offers no encryption.`;
    return ['CONFIG_INVALID', message, advice.noEncryption, { tls: message }];
  }
  if (tlsCodes.test(code)) {
    const message = `The encryption of ${at} can't be trusted: ${says}.`;
    const fix = 'Use the host name of the certificate, or choose Encrypted without verification.';
    return ['CONFIG_INVALID', message, fix, { tls: message }];
  }
  if (advice.impostor !== undefined && says.startsWith('SASL')) {
    const message = `The server at ${at} does not prove that it knows the password.`;
    return ['AUTH_REJECTED', message, advice.impostor, { host: message }];
  }
  return ['UNAVAILABLE', `The connection to ${at} was lost or not made in time.`, advice.lost];
}
