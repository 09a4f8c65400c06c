import { z } from 'zod';
import type { Outcome, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, saying, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';
import type { Identifier, Who } from './config.ts';

const names = z.array(z.string()).nullish();

/** What a request for many says of itself, always with status 200. */
export const report = z.object({
  successCount: z.number(),
  failCount: z.number(),
  disallowedEventNames: names,
  filteredOutFields: names,
  invalidEmails: names,
  invalidUserIds: names,
  failedUpdates: z.record(z.string(), names).nullish(),
});
export type Report = z.output<typeof report>;

/** One user or event of a request, in so far as answers name it. */
export interface Named extends Who {
  readonly id?: string;
  readonly eventName?: string;
  readonly createdAt?: number;
  readonly createNewFields?: boolean;
  readonly dataFields?: Readonly<Record<string, Value>>;
}

/** Reasons by the name of their list, without what it is a list of. */
const reasons = {
  invalid: 'Iterable does not take this as a user.',
  notFound: 'Iterable does not know this user.',
  invalidData: 'Iterable does not take what the row holds about this user.',
  conflict: 'Another user of Iterable has one of these values already.',
  forgotten: 'This person asked to be forgotten, and Iterable takes nothing about them any more.',
} as const;
type Reason = keyof typeof reasons;

/**
 * What became of each item. An answer names users, event names and fields, and no places: it is about all items that have
 * them. When it counts more failures than it names, nobody knows whose they are. `fine`: reasons that amount to what was
 * asked for.
 */
export function outcomesOf(
  said: Report,
  sent: readonly Named[],
  fine: readonly Reason[] = [],
): readonly Outcome[] {
  const refused = refusedIn(said);
  const failures = sent.map((item) => failureOf(item, refused, said));
  const named = failures.filter((failure) => failure !== undefined).length;
  const rest: Outcome =
    named >= said.failCount
      ? { state: 'ok' }
      : { state: 'unknown', reason: 'Iterable refused more than it names.' };
  return sent.map((item, at) => {
    const failure = failures[at];
    if (failure !== undefined) {
      return fine.some((reason) => reasons[reason] === failure)
        ? { state: 'ok' }
        : { state: 'rejected', reason: failure };
    }
    return droppedOf(item, said) ?? rest;
  });
}

type Refused = Readonly<Record<Identifier, ReadonlyMap<string, string>>>;

/** Why users were refused, by their e-mail address or id. Addresses that are no such stand in two places. */
function refusedIn({ failedUpdates, invalidEmails, invalidUserIds }: Report): Refused {
  const refused = { email: new Map<string, string>(), userId: new Map<string, string>() };
  for (const [list, users] of Object.entries({ invalidEmails, invalidUserIds, ...failedUpdates })) {
    const [, why = '', what] = /^(.*?)(Emails|UserIds)$/.exec(list) ?? [];
    const kind: Identifier = what === 'UserIds' ? 'userId' : 'email';
    for (const user of users ?? []) {
      refused[kind].set(plain(kind, user), reasonIn(why));
    }
  }
  return refused;
}

function reasonIn(why: string): string {
  return why in reasons ? reasons[why as Reason] : 'Iterable refuses this user and does not say why.';
}

function failureOf(
  { email, userId, eventName = '' }: Named,
  refused: Refused,
  { disallowedEventNames: disallowed }: Report,
): string | undefined {
  const reason =
    (email === undefined ? undefined : refused.email.get(plain('email', email))) ??
    (userId === undefined ? undefined : refused.userId.get(userId));
  return (
    reason ??
    (disallowed?.includes(eventName) === true ? 'The project takes no events of this name.' : undefined)
  );
}

/** It was taken, but for a field that the row has something in. */
function droppedOf({ dataFields = {} }: Named, { filteredOutFields: filtered }: Report): Outcome | undefined {
  const dropped = (filtered ?? [])
    .map((name) => name.split('.', 1)[0] ?? name)
    .find((name) => (dataFields[name] ?? null) !== null);
  return dropped === undefined
    ? undefined
    : {
        state: 'rejected',
        reason: `Iterable took the rest, but has no field ${dropped}, and makes no new ones.`,
        field: dropped,
      };
}

/** Iterable writes addresses in small letters; ids stay as they are. */
const plain = (kind: Identifier, user: string): string =>
  kind === 'email' ? user.trim().toLowerCase() : user;

// Errors -------------------------------------------------------------------------------------------------------------

const problem = z.object({
  msg: z.string().catch(''),
  code: z.string().catch(''),
  params: z
    .object({
      validationErrors: z.record(z.string(), z.object({ expectedType: z.string().catch('something else') })),
    })
    .nullish()
    .catch(undefined),
});

/**
 * `sent`: what rows had to do with the request, any of which may be why it is refused. The status tells what it is, and
 * the code which; a code of `Success` tells nothing.
 */
export function errorIn(answer: HttpAnswer, sent: unknown): ActivateError {
  const { status } = answer;
  const { msg, code, params } = jsonAs(answer.text, problem) ?? { msg: '', code: '' };
  const words = theirWords(msg, sent);
  const says = saying(words);
  if (status === 400 && msg.includes('error.lists.invalidListId')) {
    return new ActivateError('TARGET_GONE', 'This list is not there any more in Iterable.', {
      fix: 'Choose another list for the sync.',
    });
  }
  if (code === 'UniqueFieldsLimitExceeded') {
    return new ActivateError('INPUT_INVALID', 'The project can have no more fields: it has 1,000.', {
      fix: 'Delete fields in Iterable that nobody uses, or take some out of the mapping.',
    });
  }
  if (code === 'DatabaseError' || code === 'QueueEmailError') {
    return new ActivateError('UNAVAILABLE', `Iterable ran into trouble.${says}`);
  }
  if (code === 'RequestFieldsTypesMismatched') {
    const kept = Object.entries(params?.validationErrors ?? {}).map(
      ([field, { expectedType }]) => `${field.replace(/^.*:::/, '')} as ${expectedType}`,
    );
    return new ActivateError(
      'ROW_REJECTED',
      kept.length === 0
        ? 'Iterable keeps a field as something else than the row has.'
        : `Iterable keeps ${kept.join(', ')}, and the row has something else.`,
    );
  }
  if (sent !== undefined && [400, 409, 413].includes(status)) {
    return new ActivateError('ROW_REJECTED', `Iterable refuses this.${says}`);
  }
  return status === 401
    ? new ActivateError('AUTH_REJECTED', `Iterable does not accept the API key.${says}`, {
        fix: 'See that it is a server-side key without JWT, of the data center that you chose, and connect again: /activate connect.',
      })
    : errorOf(answer, 'Iterable', words);
}
