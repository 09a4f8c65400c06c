import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer } from '../../engine/contracts/http.ts';
import { invalid, type Login } from './config.ts';

/** Azure's own word for an error; it sends it to HEAD too, whose answer has no body. */
export function wordOf({ headers }: HttpAnswer): string {
  return headers['x-ms-error-code'] ?? '';
}

/** An answer that is not 2xx as a sentence for the person. */
export function explain(answer: HttpAnswer, login: Login): ActivateError {
  const word = wordOf(answer);
  switch (word) {
    case 'AuthenticationFailed':
    case 'InvalidAuthenticationInfo':
    case 'NoAuthenticationInformation':
      return refused(login);
    case 'KeyBasedAuthenticationNotPermitted':
      return denied('The storage account takes no account keys.', 'Allow them there, or use a SAS token.');
    case 'AccountIsDisabled':
      return denied('The storage account is disabled.', 'Have it enabled again in the portal.');
    case 'AuthorizationFailure':
    case 'AuthorizationSourceIPMismatch':
      return denied(
        'The storage account, or the SAS token, does not let this machine in.',
        "Allow this machine's address in the account's network rules and in the token.",
      );
    case 'ContainerNotFound':
      return invalid('container', `There is no container named ${login.container}.`, 'Check its name.');
    case 'InvalidBlobType':
      return kept('A blob of another type (append or page) has this name.');
    case 'BlobImmutableDueToPolicy':
    case 'BlobArchived':
    case 'LeaseIdMissing':
    case 'PathAlreadyExists':
    case 'ResourceTypeMismatch':
      return kept(`The file of this name can not be replaced (${word}).`);
    case 'InvalidBlobOrBlock':
    case 'InvalidBlockId':
      return kept('Another program has begun a file of this name, with blocks that ours do not fit to.');
    case 'Md5Mismatch':
    case 'ContainerBeingDeleted':
    case 'SnapshotOperationRateExceeded':
      return passing('UNAVAILABLE', `Azure can not do this now (${word}).`);
    case 'ServerBusy':
      return passing('RATE_LIMITED', 'Azure asks for a pause.', answer.retryAfterMs);
    default:
      return ofStatus(answer, word);
  }
}

function ofStatus(answer: HttpAnswer, word: string): ActivateError {
  switch (answer.status) {
    case 403:
      return denied(
        `Azure does not allow this (${word === '' ? 'status 403' : word}).`,
        'Let the token read, create and write blobs of this container (rcw).',
      );
    // Whatever the word, Azure asks for fewer requests with it.
    case 503:
      return passing('RATE_LIMITED', 'Azure asks for a pause.', answer.retryAfterMs);
    default:
      return errorOf(answer, 'Azure', word);
  }
}

function refused({ by }: Login): ActivateError {
  const message =
    by.kind === 'key'
      ? 'The account key does not belong to the storage account, or the clock of this machine is wrong.'
      : 'Azure does not accept the SAS token: it has ended, was taken back, or is not whole.';
  return new ActivateError('AUTH_REJECTED', message, {
    fix:
      by.kind === 'key'
        ? 'Copy the key again under “Access keys”, and set the clock by a time server.'
        : 'Make a new SAS token and connect again.',
    fields: { [by.kind === 'key' ? 'accountKey' : 'sasToken']: 'Azure does not accept it.' },
  });
}

function denied(message: string, fix: string): ActivateError {
  return new ActivateError('PERMISSION_DENIED', message, { fix });
}

function kept(message: string): ActivateError {
  return new ActivateError('EXISTS', message, {
    fix: 'Put {{ run }} into the name, or remove what is there.',
  });
}

function passing(code: ErrorCode, message: string, retryAfterMs?: number): ActivateError {
  return new ActivateError(code, message, {
    fix: 'It is tried again by itself.',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
