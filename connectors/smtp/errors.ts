import type { MailOutcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';

/** What the package says of a failure: `code` is its own, `command` what was under way, `response` the server's words. */
export interface Failure {
  readonly message?: string;
  readonly code?: string;
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

/** A mail that did not get through. `sent`: its content had gone out by then. */
export class Undelivered extends Error {
  readonly failure: Failure;
  readonly sent: boolean;

  constructor(failure: Failure, sent: boolean) {
    super(failure.message ?? 'The mail did not get through.');
    this.failure = failure;
    this.sent = sent;
  }
}

/** Why no connection came about, as a sentence for the person. */
export function explainConnect(failure: Failure, secrets: readonly string[] = []): ActivateError {
  const { code, response, responseCode = 0 } = failure;
  const cause = theirWords(failure.message ?? '', secrets);
  if (code === 'EAUTH') {
    return explainLogin(failure, secrets);
  }
  if (code === 'ETLS' || /certificate|self.signed|altnames/i.test(failure.message ?? '')) {
    return new ActivateError('CONFIG_INVALID', `No encrypted connection to the mail server: ${cause}`, {
      fix: 'Choose the other kind of encryption, or give the certificate that signs the server’s.',
      fields: { security: 'The server does not agree to this.' },
    });
  }
  if (responseCode >= 500) {
    return new ActivateError(
      'PERMISSION_DENIED',
      `The mail server turns us away. ${quoted(response, secrets)}`.trim(),
      {
        fix: 'Ask its owner to let this machine send.',
      },
    );
  }
  const what = code === 'EDNS' ? 'There is no mail server of this name.' : 'The mail server does not answer.';
  return new ActivateError('UNAVAILABLE', `${what} ${quoted(response, secrets)}`.trim(), {
    cause,
    fix: 'Check host, port and encryption. It is tried again by itself.',
  });
}

function explainLogin(
  { response, responseCode = 0, command }: Failure,
  secrets: readonly string[],
): ActivateError {
  if (responseCode >= 400 && responseCode < 500) {
    return new ActivateError(
      'UNAVAILABLE',
      `The mail server takes no login just now. ${quoted(response, secrets)}`,
      {
        fix: 'It is tried again by itself.',
      },
    );
  }
  const said = responseCode === 0 || command === undefined ? '' : ` ${quoted(response, secrets)}`;
  return new ActivateError('AUTH_REJECTED', `The mail server refused the login.${said}`, {
    fix: 'Check user and password. Many providers want a password made for programs, and refuse that of the person.',
    fields: { password: 'The server refused this login.' },
  });
}

/** Words of a server that may be shown: no address is repeated, and nothing of what was sent. */
function quoted(response: string | undefined, sent: readonly string[] = []): string {
  if (response === undefined || response === '') {
    return '';
  }
  const bare = response.replaceAll(/[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g, '…');
  return `It says: ${theirWords(bare, sent)}`;
}

/** The status that RFC 3463 gives a reply beside its code: `5.1.1`; empty where the server names none. */
function statusOf(response: string | undefined): string {
  return /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response ?? '')?.[1] ?? '';
}

/**
 * What a failed mail means. Throws what is about the connection, or about us as a sender, and not about this mail.
 * `hidden` is what must not be repeated of it.
 */
export function outcomeOf({ failure, sent }: Undelivered, hidden: readonly string[]): MailOutcome {
  const { code, command, response, responseCode = 0 } = failure;
  const says = quoted(response, hidden);
  const status = statusOf(response);
  if (responseCode === 0) {
    return withoutAnswer(failure, sent, hidden);
  }
  if (responseCode < 500) {
    return passing(failure, says, status);
  }
  if (responseCode === 530 || code === 'EAUTH') {
    throw explainLogin(failure, hidden);
  }
  if (responseCode === 552 || /^5\.(?:2\.3|3\.4)$/.test(status)) {
    return status === '5.2.2' || (command === 'RCPT TO' && status === '')
      ? rejected(`The mailbox is full. ${says}`)
      : rejected(`The mail server finds the mail too large. ${says}`);
  }
  switch (command) {
    case 'MAIL FROM':
      throw new ActivateError(
        'PERMISSION_DENIED',
        `The mail server does not let us send from this address. ${says}`,
        {
          fix: 'Give a From address that the account may send from.',
        },
      );
    case 'RCPT TO':
      return refusedRecipient(responseCode, status, says);
    default:
      return refusedContent(responseCode, status, says);
  }
}

function withoutAnswer(failure: Failure, sent: boolean, hidden: readonly string[]): MailOutcome {
  if (sent) {
    return {
      state: 'unknown',
      reason:
        'The connection broke off after the mail had gone out, before the server said whether it takes it.',
    };
  }
  if (failure.code === 'EMESSAGE') {
    return rejected('The mail is larger than the mail server takes.');
  }
  throw new ActivateError('UNAVAILABLE', 'The connection to the mail server broke off.', {
    fix: 'It is tried again by itself.',
    cause: theirWords(failure.message ?? '', hidden),
  });
}

function rejected(reason: string, gone = false): MailOutcome {
  return { state: 'rejected', reason, gone };
}

/** 421: the server takes nothing from anybody just now. Other replies that pass are about the one mailbox. */
function passing({ responseCode, command }: Failure, says: string, status: string): MailOutcome {
  if (responseCode === 421 || command === 'MAIL FROM' || /^4\.7\.28$/.test(status)) {
    throw new ActivateError('UNAVAILABLE', `The mail server takes no mail just now. ${says}`, {
      fix: 'It is tried again by itself.',
    });
  }
  return { state: 'retry', reason: `The mail server asks to come back later. ${says}` };
}

/** No such mailbox, no such domain, moved away, closed, takes no mail at all. */
const goneFor = ['5.1.1', '5.1.2', '5.1.6', '5.1.10', '5.2.1'];

function refusedRecipient(code: number, status: string, says: string): MailOutcome {
  const gone = status === '' ? code === 550 || code === 551 : goneFor.includes(status);
  return gone
    ? rejected(`Nobody has this address: it is not written to any more. ${says}`, true)
    : rejected(`The mail server does not take mail to this address. ${says}`);
}

/** A refusal by policy is about who we are to the world: to go on would make it worse. */
function refusedContent(code: number, status: string, says: string): MailOutcome {
  if (status.startsWith('5.7.') || (status === '' && code === 554)) {
    throw new ActivateError('PERMISSION_DENIED', `The mail server refuses our mail by its policy. ${says}`, {
      fix: 'No more was sent. See to SPF, DKIM and what the mail says before you try again.',
    });
  }
  return rejected(`The mail server refused the mail. ${says}`);
}
