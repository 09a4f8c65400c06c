import { ActivateError } from '../../engine/contracts/errors.ts';
import { without } from '../shared/database-errors.ts';
import { invalid, type Login } from './config.ts';

/** What the server said to one request: a status of SFTP; or that the connection is gone. */
export class Fault extends Error {
  /** 2: no such file; 3: not allowed; 4: anything else; 8: not supported. Undefined: no answer will come. */
  readonly status: number | undefined;

  constructor(status: number | undefined, message: string) {
    super(message);
    this.status = status;
  }
}

export const endOfFile = 1;
export const noSuchFile = 2;

/** A fault as a sentence for the person. `doing` completes “the server does not let us …”. */
export function explain(fault: Fault, doing: string): ActivateError {
  switch (fault.status) {
    case undefined:
      return new ActivateError('UNAVAILABLE', 'The connection to the SFTP server broke off.', {
        fix: 'It is tried again by itself.',
        cause: fault.message,
      });
    case noSuchFile:
      return new ActivateError(
        'NOT_FOUND',
        `The SFTP server says that there is no such file or folder (${doing}).`,
        {
          fix: 'Make the folder there, or correct it in the connection.',
        },
      );
    case 3:
      return new ActivateError('PERMISSION_DENIED', `The SFTP server does not let this user ${doing}.`, {
        fix: 'Ask its owner for the right to make, rename and delete files in the folder.',
      });
    case 14:
    case 15:
      return new ActivateError('UNAVAILABLE', 'The disk of the SFTP server is full, or our share of it.', {
        fix: 'Ask its owner to make room. It is tried again by itself.',
      });
    case 8:
      return new ActivateError('INPUT_INVALID', `The SFTP server does not know how to ${doing}.`, {
        fix: 'Try again with “Write directly” in the connection.',
      });
    default:
      return new ActivateError('UNAVAILABLE', `The SFTP server failed to ${doing}, and does not say why.`, {
        fix: 'It is tried again by itself. If it stays so, its disk may be full.',
        cause: fault.message,
      });
  }
}

/** The key that a server showed: its kind, and its fingerprint as OpenSSH writes it. */
export interface HostKey {
  readonly kind: string;
  readonly fingerprint: string;
}

/** How far a connection got before it failed. */
export interface Attempt {
  readonly hostKey: HostKey | undefined;
  /** Ways to log in that the server offers this user. */
  readonly methods: readonly string[];
  readonly loggedIn: boolean;
  readonly failure: Failure;
}

export interface Failure {
  readonly message?: string;
  readonly code?: string;
  /** The part of the vendor's package that failed. */
  readonly level?: string;
}

/** Why no connection came about, as a sentence for the person. */
export function explainAttempt(
  { hostKey, methods, loggedIn, failure }: Attempt,
  login: Login,
): ActivateError {
  if (hostKey !== undefined && !login.hostKeys.includes(hostKey.fingerprint)) {
    return ofHostKey(hostKey, login);
  }
  if (loggedIn) {
    return new ActivateError('PERMISSION_DENIED', 'The server lets this user in, but not for SFTP.', {
      fix: 'Ask its owner to allow SFTP for the user.',
    });
  }
  const cause = without(
    [login.password, login.passphrase],
    `${failure.code ?? ''} ${failure.message ?? ''}`.trim(),
  );
  switch (failure.level) {
    case 'client-authentication':
      return refused(methods, login);
    case 'handshake':
      return new ActivateError('CONFIG_INVALID', 'The server knows no encryption that is safe today.', {
        fix: login.legacy
          ? 'Ask its owner to bring it up to date.'
          : 'Ask its owner to bring it up to date, or choose Yes for old encryption.',
        fields: { legacyAlgorithms: 'The server knows no encryption that is safe today.' },
        cause,
      });
    case undefined:
      // It never came to a connection, since the package could not read the key.
      return failure.code === undefined ? unreadable(login) : unreachable(failure, login, cause);
    default:
      return unreachable(failure, login, cause);
  }
}

function ofHostKey({ kind, fingerprint }: HostKey, login: Login): ActivateError {
  if (login.hostKeys.length === 0) {
    return new ActivateError('CONFIG_INVALID', 'Nobody has confirmed yet that this is the right server.', {
      fix: `It shows the key ${fingerprint} (${kind}). Compare it with what its owner says, and paste it as the host key.`,
      fields: {
        hostKey: `The server shows ${fingerprint} (${kind}). Compare it with its owner, and paste it here.`,
      },
    });
  }
  const known = login.hostKeys.join(' or ');
  return new ActivateError(
    'CONFIG_INVALID',
    `The server shows the key ${fingerprint} (${kind}), and not ${known}: it may be another server. Nothing was sent.`,
    {
      fix: 'Ask its owner whether the key was changed. Only if so, put the new one in place of the old.',
      fields: { hostKey: `The server shows ${fingerprint} (${kind}).` },
    },
  );
}

function refused(methods: readonly string[], login: Login): ActivateError {
  const useful =
    (login.privateKey !== undefined && methods.includes('publickey')) ||
    (login.password !== undefined && methods.some((method) => method !== 'publickey'));
  const offered = methods.length === 0 || useful ? '' : ` It takes: ${methods.join(', ')}.`;
  const field = login.privateKey === undefined ? 'password' : 'privateKey';
  return new ActivateError('AUTH_REJECTED', `The SFTP server refused the login of ${login.user}.${offered}`, {
    fix: 'Check user and password or key. Do not try too often: many servers lock a user after a few refusals.',
    fields: { [field]: `The server refused this login.${offered}` },
  });
}

function unreadable(login: Login): ActivateError {
  return login.passphrase === undefined
    ? invalid(
        'privateKey',
        'This private key can not be read.',
        'If it is locked, give its passphrase; else paste it again, as OpenSSH or PEM.',
      )
    : invalid('passphrase', 'The private key can not be read with this passphrase.', 'Check both.');
}

function unreachable({ code }: Failure, login: Login, cause: string): ActivateError {
  const at = `${login.host}:${login.port}`;
  const message =
    code === 'ENOTFOUND' || code === 'EAI_AGAIN'
      ? `No server is known by the name ${login.host}.`
      : code === 'ECONNREFUSED'
        ? `Nothing answers at ${at}.`
        : `The SFTP server at ${at} did not let us connect, or broke off.`;
  return new ActivateError('UNAVAILABLE', message, {
    fix: 'Check host and port, and that the server lets in connections from here.',
    fields: { host: message },
    cause,
  });
}
