import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix?: string;
}

const AWAY: Meaning = {
  code: 'TARGET_GONE',
  message: "The bot isn't in this team or chat, or the channel is gone.",
  fix: 'Add the app Activate to the team or chat, or choose another place.',
};
const BLOCKED: Meaning = {
  code: 'TARGET_GONE',
  message: 'This person blocked or removed the app, so nobody can be written to there.',
  fix: 'They have to add the app Activate again, or choose somebody else.',
};

/** Words of Teams for what went wrong, and ours. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  BotNotInConversationRoster: AWAY,
  ConversationNotFound: AWAY,
  BotDisabledByAdmin: { ...AWAY, message: 'An admin of the tenant has disabled the app.' },
  NotEnoughPermissions: {
    code: 'PERMISSION_DENIED',
    message: 'The bot may not post here.',
    fix: "Ask an owner of the team to let the app post, in the channel's moderation settings.",
  },
  MessageWritesBlocked: BLOCKED,
  ConversationBlockedByUser: BLOCKED,
  ForbiddenOperationException: { ...AWAY, message: 'The app is not installed where this should go.' },
  ActivityNotFoundInConversation: { code: 'TARGET_GONE', message: 'The message is gone.' },
  MessageSizeTooBig: { code: 'BUG', message: 'Teams refused a message because it was too large.' },
};

/** How long to wait when Teams asks to slow down and doesn't say how long. */
const SLOW_MS = 2000;

/** A reply of the Teams service that is no success. */
export interface Refusal {
  readonly what: string;
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** Turns what Teams answered into our error; the cause keeps its word and status, and nothing that was sent. */
export function failure({ what, status, retryAfter, text }: Refusal): ActivateError {
  const reason = reasonIn(text);
  const cause = { what, status, reason };
  if (status === 429) {
    const seconds = Number(retryAfter);
    const asked = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : SLOW_MS;
    return new ActivateError('RATE_LIMITED', 'Teams asks us to slow down.', { retryAfterMs: asked, cause });
  }
  if (status === 412) {
    // Two writers in one conversation at once: Teams took neither of the two for certain, and asks to try again.
    return new ActivateError('UNAVAILABLE', 'Teams was busy with the same conversation.', { cause });
  }
  if (status >= 500) {
    return new ActivateError('OUTCOME_UNKNOWN', `Teams answered ${what} with status ${status}.`, { cause });
  }
  const meaning = MEANINGS[reason] ?? byStatus(status);
  if (meaning === undefined) {
    const word = reason === '' ? '' : ` (${reason})`;
    return new ActivateError('BUG', `Teams refused ${what} with status ${status}${word}.`, {
      cause,
      fix: 'Please report this with the log.',
    });
  }
  const { code, message, fix } = meaning;
  return new ActivateError(code, message, { cause, ...(fix === undefined ? {} : { fix }) });
}

function byStatus(status: number): Meaning | undefined {
  switch (status) {
    case 401:
      return {
        code: 'AUTH_REJECTED',
        message: 'Teams refused the bot.',
        fix: 'Check TEAMS_APP_ID and TEAMS_TENANT_ID against the app registration and the Azure bot, then restart.',
      };
    case 403:
    case 404:
      return AWAY;
    default:
      return undefined;
  }
}

/** The word for what went wrong: `error.code`, or the sub code inside the message of older replies. */
function reasonIn(text: string): string {
  const sub = /"?\bsubCode\\*"?\s*:\s*\\*"(\w+)/i.exec(text)?.[1];
  if (sub !== undefined) {
    return sub;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    const error = typeof parsed === 'object' && parsed !== null && 'error' in parsed ? parsed.error : parsed;
    return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  } catch {
    // A proxy's page, say.
    return '';
  }
}

/** Errors that come before anything was sent. Everything later may have reached Teams. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** A call that got no answer. */
export function lost(thrown: unknown): ActivateError {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (NOT_SENT.has(code)) {
    return new ActivateError('UNAVAILABLE', `Teams can't be reached (${code}).`, {
      cause,
      fix: 'Check the network between Activate and Microsoft.',
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ActivateError('OUTCOME_UNKNOWN', `The connection to Teams was lost (${why}).`, { cause });
}

/** True for a place or a message that is not there for us. */
export function isGone(error: unknown): boolean {
  return (
    error instanceof ActivateError && (error.code === 'TARGET_GONE' || error.code === 'PERMISSION_DENIED')
  );
}

/** For what may be done twice without harm: an unknown outcome is a failure to try again. */
export async function asUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'OUTCOME_UNKNOWN') {
      throw new ActivateError('UNAVAILABLE', error.message, { cause: error });
    }
    throw error;
  }
}
