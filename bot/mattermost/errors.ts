import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';

/** What Mattermost said of a call that failed. */
export interface Refusal {
  readonly status: number;
  /** Its own name of the error, as `api.context.permissions.app_error`; empty when something else answered. */
  readonly id: string;
  readonly message: string;
}

/** Our own name of the failure that the server's certificate is none we trust. */
export const UNTRUSTED = 'certificate';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix?: string;
}

const ARCHIVED: Meaning = {
  code: 'TARGET_GONE',
  message: 'The channel is archived.',
  fix: 'Unarchive it, or choose another channel.',
};

/** Mattermost's names of what went wrong, and ours. What is missing here goes by its status. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'api.context.permissions.app_error': {
    code: 'PERMISSION_DENIED',
    message: 'The bot may not do this in Mattermost.',
    fix: 'Invite the bot to the channel, or ask a system admin for the right.',
  },
  'app.user.missing_account.const': {
    code: 'TARGET_GONE',
    message: "Mattermost doesn't know this person any more.",
    fix: 'Choose somebody who is still there.',
  },
  'api.post.create_post.can_not_post_to_deleted.error': ARCHIVED,
  'api.post.update_post.can_not_update_post_in_deleted.error': ARCHIVED,
  'api.post.create_post.town_square_read_only': {
    code: 'PERMISSION_DENIED',
    message: 'Only admins may post to this channel.',
    fix: 'Choose another channel, or ask a system admin to let the bot post there.',
  },
  'api.post.create_post.root_id.app_error': { code: 'TARGET_GONE', message: 'The thread is gone.' },
  'api.post.update_post.permissions_time_limit.app_error': {
    code: 'TARGET_GONE',
    message: 'Mattermost no longer lets this message be edited.',
  },
  'api.file.upload_file.too_large.app_error': {
    code: 'INPUT_INVALID',
    message: 'The file is larger than Mattermost takes.',
    fix: 'Ask a system admin to raise the limit on the size of files.',
  },
  'api.file.upload_file.too_large_detailed.app_error': {
    code: 'INPUT_INVALID',
    message: 'The file is larger than Mattermost takes.',
    fix: 'Ask a system admin to raise the limit on the size of files.',
  },
};

/** What Mattermost called the failure; undefined when the error is not a refusal of Mattermost. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ActivateError) || typeof error.cause !== 'object' || error.cause === null) {
    return undefined;
  }
  return 'status' in error.cause && 'id' in error.cause ? (error.cause as Refusal) : undefined;
}

/** Whether the permission to open a dialog is spent. */
export function isTriggerGone(error: unknown): boolean {
  return refusalOf(error)?.id.startsWith('interactive_message.decode_trigger_id.') ?? false;
}

/** Whether the bot can't write there: it is no member, the channel is gone, or it may not. */
export function isClosed(error: unknown): boolean {
  return (
    error instanceof ActivateError && (error.code === 'TARGET_GONE' || error.code === 'PERMISSION_DENIED')
  );
}

/** Turns a refusal into ours; `what` names the call, without anything private. */
export function failure(what: string, refusal: Refusal): ActivateError {
  const { code, message, fix } = MEANINGS[refusal.id] ?? byStatus(what, refusal);
  return new ActivateError(code, message, { cause: refusal, ...(fix === undefined ? {} : { fix }) });
}

function byStatus(what: string, { status, id, message }: Refusal): Meaning {
  switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
      return {
        code: 'CONFIG_INVALID',
        message: 'Mattermost answers under another address.',
        fix: 'Set MATTERMOST_URL to the address that people use, with https:// where it has it.',
      };
    case 401:
      return {
        code: 'AUTH_REJECTED',
        message: 'Mattermost refused the bot token.',
        fix: 'Create a new token for the bot account, set it as MATTERMOST_TOKEN and restart.',
      };
    case 403:
      return {
        code: 'PERMISSION_DENIED',
        message: `Mattermost does not let the bot do this (${what}).`,
        fix: 'Invite the bot to the channel, or ask a system admin for the right.',
      };
    case 404:
      return id === ''
        ? {
            code: 'CONFIG_INVALID',
            message: 'There is no Mattermost at this address.',
            fix: 'Check MATTERMOST_URL.',
          }
        : { code: 'TARGET_GONE', message: "Mattermost doesn't know this any more." };
    case 413:
      return { code: 'INPUT_INVALID', message: 'This is larger than Mattermost takes.' };
    case 501:
      return { code: 'PERMISSION_DENIED', message: `This is switched off in Mattermost (${what}).` };
    default:
      return {
        code: 'BUG',
        message: `Mattermost refused ${what}: ${message === '' ? `status ${status}` : message}`,
        fix: 'Please report this with the log.',
      };
  }
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
