import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix?: string;
}

const REJECTED: Meaning = {
  code: 'AUTH_REJECTED',
  message: 'Slack refused the bot token.',
  fix: 'Copy the Bot User OAuth Token of the app again into SLACK_BOT_TOKEN and restart.',
};
const UNABLE: Meaning = { code: 'UNAVAILABLE', message: 'Slack has trouble of its own right now.' };
const HIDDEN: Meaning = {
  code: 'TARGET_GONE',
  message: "Slack doesn't know this channel, or it is private and the bot isn't in it.",
  fix: 'Type /invite @Activate in the channel, or choose another one.',
};
const NOBODY: Meaning = {
  code: 'TARGET_GONE',
  message: "Slack doesn't know this person any more.",
  fix: 'Choose somebody who is still in the workspace.',
};
const READ_ONLY: Meaning = {
  code: 'PERMISSION_DENIED',
  message: 'Only some people may post to this channel, and the bot is not one of them.',
  fix: "Ask an admin to allow the bot in the channel's posting permissions, or choose another channel.",
};

/** Slack's words for what went wrong, and ours. What is missing here is a bug of ours (a message Slack refuses). */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  invalid_auth: REJECTED,
  not_authed: REJECTED,
  token_revoked: REJECTED,
  token_expired: REJECTED,
  account_inactive: {
    ...REJECTED,
    message: 'The Slack app was removed from the workspace, or its token was revoked.',
  },
  channel_not_found: HIDDEN,
  not_in_channel: {
    ...HIDDEN,
    message: "The bot isn't in this channel.",
    fix: 'Type /invite @Activate in the channel.',
  },
  is_archived: {
    code: 'TARGET_GONE',
    message: 'The channel is archived.',
    fix: 'Unarchive it, or choose another channel.',
  },
  user_not_found: NOBODY,
  users_not_found: NOBODY,
  user_disabled: NOBODY,
  cannot_dm_bot: {
    ...NOBODY,
    message: "Slack doesn't let a bot write to another bot.",
    fix: 'Choose a person.',
  },
  no_such_subteam: {
    code: 'TARGET_GONE',
    message: "Slack doesn't know this user group any more.",
    fix: 'Choose another group, or name people.',
  },
  plan_upgrade_required: {
    code: 'PERMISSION_DENIED',
    message: 'This Slack workspace has no user groups: its plan does not include them.',
    fix: 'Name people in place of a group.',
  },
  messages_tab_disabled: {
    code: 'TARGET_GONE',
    message: "The app's Messages tab is switched off, so nobody can be written to directly.",
    fix: 'Switch on the Messages tab under App Home in the settings of the Slack app.',
  },
  restricted_action: READ_ONLY,
  restricted_action_read_only_channel: READ_ONLY,
  restricted_action_thread_only_channel: READ_ONLY,
  message_not_found: { code: 'TARGET_GONE', message: 'The message is gone.' },
  cant_update_message: { code: 'TARGET_GONE', message: 'This message is not one that the bot may edit.' },
  edit_window_closed: {
    code: 'TARGET_GONE',
    message: 'The workspace no longer lets this message be edited.',
  },
  thread_not_found: { code: 'TARGET_GONE', message: 'The thread is gone.' },
  access_denied: {
    code: 'PERMISSION_DENIED',
    message: 'Slack denied access to this.',
    fix: "Ask an admin of the workspace to check the app's permissions.",
  },
  org_login_required: { ...UNABLE, message: 'The workspace is being moved to another organisation.' },
  team_access_not_granted: REJECTED,
  ratelimited: { code: 'RATE_LIMITED', message: 'Slack asks us to slow down.' },
  rate_limited: { code: 'RATE_LIMITED', message: 'Slack asks us to slow down.' },
  service_unavailable: UNABLE,
  internal_error: {
    code: 'OUTCOME_UNKNOWN',
    message: 'Slack failed inside; the call may have worked all the same.',
  },
  fatal_error: {
    code: 'OUTCOME_UNKNOWN',
    message: 'Slack failed inside; the call may have worked all the same.',
  },
  request_timeout: { code: 'OUTCOME_UNKNOWN', message: 'Slack gave up waiting for the request.' },
};

/** What Slack called the failure of a call; undefined when the error isn't Slack's. */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof ActivateError) || typeof error.cause !== 'object' || error.cause === null) {
    return undefined;
  }
  return 'reason' in error.cause ? String(error.cause.reason) : undefined;
}

/** Turns Slack's `error` into ours; the cause keeps Slack's word and the method. */
export function failure(method: string, reason: string, answer: object = {}): ActivateError {
  const cause = { method, reason };
  if (reason === 'missing_scope') {
    const needed = 'needed' in answer ? String(answer.needed) : 'a scope that is missing';
    return new ActivateError('PERMISSION_DENIED', `The Slack app lacks the scope ${needed}.`, {
      cause,
      fix: `Add ${needed} under OAuth & Permissions in the settings of the Slack app, and install it again.`,
    });
  }
  const meaning = MEANINGS[reason];
  if (meaning === undefined) {
    return new ActivateError('BUG', `Slack refused ${method}: ${reason}${details(answer)}.`, {
      cause,
      fix: 'Please report this with the log.',
    });
  }
  return new ActivateError(meaning.code, meaning.message, {
    cause,
    ...(meaning.fix === undefined ? {} : { fix: meaning.fix }),
    ...(meaning.code === 'RATE_LIMITED' ? { retryAfterMs: 1000 } : {}),
  });
}

/** Slack says in `response_metadata.messages` which block it didn't like. */
function details(answer: object): string {
  const metadata: unknown = 'response_metadata' in answer ? answer.response_metadata : undefined;
  if (typeof metadata !== 'object' || metadata === null || !('messages' in metadata)) {
    return '';
  }
  return Array.isArray(metadata.messages) ? ` (${metadata.messages.map(String).join('; ')})` : '';
}
