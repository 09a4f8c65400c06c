import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer } from '../../engine/contracts/http.ts';
import { invalid, type Login } from './config.ts';

/** An answer that is not 2xx as a sentence for the person. */
export function explain(answer: HttpAnswer, login: Login): ActivateError {
  const word = wordOf(answer);
  switch (word) {
    case 'InvalidAccessKeyId':
    case 'InvalidSecurity':
      return refused('accessId', 'Google does not know this HMAC key, or it is not active.');
    case 'SignatureDoesNotMatch':
      return refused('secret', 'The secret does not belong to the access ID.');
    case 'RequestTimeTooSkewed':
      return new ActivateError(
        'CONFIG_INVALID',
        'The clock of the machine that Activate runs on is wrong by more than 15 minutes.',
        { fix: 'Set the clock, best by a time server.' },
      );
    case 'NoSuchBucket':
      return invalid('bucket', `There is no bucket named ${login.bucket}.`, 'Check its name.');
    case 'AccountProblem':
    case 'UserProjectAccountProblem':
      return denied('The account of the bucket is not in order: billing may be off.');
    case 'RetentionPolicyNotMet':
    case 'ObjectUnderActiveHold':
      return new ActivateError('EXISTS', `The file of this name may not be replaced yet (${word}).`, {
        fix: 'Put {{ run }} into the name, or wait until its hold has ended.',
      });
    case 'BadDigest':
    case 'IncompleteBody':
      return new ActivateError('UNAVAILABLE', 'The file came damaged at Google.', {
        fix: 'It is tried again by itself.',
      });
    default:
      return ofStatus(answer, word);
  }
}

function ofStatus(answer: HttpAnswer, word: string): ActivateError {
  switch (answer.status) {
    case 403:
      return denied(`Google does not allow this (${word === '' ? 'status 403' : word}).`);
    case 404:
    case 410:
      // Of all that is asked for without looking first, only the address of an upload in pieces can be gone.
      return new ActivateError('UNAVAILABLE', 'Google ended the upload before it was done.', {
        fix: 'It is tried again from its beginning by itself.',
      });
    default:
      return errorOf(answer, 'Google Cloud Storage', word);
  }
}

/** Google's own word for an error. HEAD has none. */
function wordOf({ text }: HttpAnswer): string {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '';
}

function refused(name: 'accessId' | 'secret', message: string): ActivateError {
  return new ActivateError('AUTH_REJECTED', message, {
    fix: 'Make a new HMAC key and connect again, or check the one that was pasted.',
    fields: { [name]: message },
  });
}

function denied(message: string): ActivateError {
  return new ActivateError('PERMISSION_DENIED', message, {
    fix: 'Give the service account the role Storage Object User on the bucket.',
  });
}
