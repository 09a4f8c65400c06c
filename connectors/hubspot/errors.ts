import { z } from 'zod';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs } from '../shared/json.ts';

const listed = z.record(z.string(), z.unknown()).catch({});

/** What HubSpot says of a request or of one row in it. Nothing in it is promised to be there. */
export const refusalShape = z.object({
  message: z.string().catch(''),
  category: z.string().catch(''),
  policyName: z.string().catch(''),
  context: listed,
  errors: z
    .array(z.object({ message: z.string().catch(''), code: z.string().catch(''), context: listed }))
    .catch([]),
});
export type Refusal = z.output<typeof refusalShape>;

/** The limit of a day ends at midnight where the account is; nothing much changes within minutes. */
const dayWaitMs = 3_600_000;
/** A lock lasts two seconds. */
const lockWaitMs = 2_000;

/** What an answer that is not 2xx means. `rows`: values of rows that are in the request, any of which may be the cause. */
export function failureOf(answer: HttpAnswer, rows: unknown): ActivateError {
  const refusal = refusalIn(answer);
  const says = wordsOf(refusal, rows);
  switch (answer.status) {
    case 429:
      return pause(answer, waitOf(refusal.policyName), refusal.policyName === 'DAILY' ? spent : busy);
    case 423:
      return pause(answer, lockWaitMs, 'HubSpot has locked these records for a moment: much was written.');
    case 477:
      return pause(answer, dayWaitMs, 'HubSpot is moving this account to another place.');
    case 403:
      return missingRights(answer, refusal);
    case 400:
    case 409:
    case 413:
    case 414:
      return refused(answer, refusal, rows, says);
    default:
      return errorOf(answer, 'HubSpot', says);
  }
}

const busy = 'HubSpot asks for a pause: too many calls at once.';
const spent = 'All calls that HubSpot allows the account a day are made.';

function pause({ retryAfterMs }: HttpAnswer, waitMs: number | undefined, message: string): ActivateError {
  const wait = retryAfterMs ?? waitMs;
  return new ActivateError('RATE_LIMITED', message, wait === undefined ? {} : { retryAfterMs: wait });
}

function waitOf(policy: string): number | undefined {
  switch (policy) {
    case 'TEN_SECONDLY_ROLLING':
      return 10_000;
    case 'SECONDLY':
      return 1_000;
    case 'DAILY':
      return dayWaitMs;
    default:
      return undefined;
  }
}

function missingRights(answer: HttpAnswer, refusal: Refusal): ActivateError {
  const scopes = [refusal, ...refusal.errors]
    .flatMap(({ context }) => [context['requiredGranularScopes'], context['missingScopes']].flat())
    .filter((scope) => typeof scope === 'string' && /^[\w.-]{1,80}$/.test(scope));
  if (scopes.length === 0) {
    return errorOf(answer, 'HubSpot');
  }
  const names = [...new Set(scopes)].join(', ');
  return new ActivateError('PERMISSION_DENIED', `The access token lacks rights: ${names}.`, {
    fix: 'Add these scopes to the service key or private app.',
  });
}

function refused(answer: HttpAnswer, refusal: Refusal, rows: unknown, says: string): ActivateError {
  if (/Unable to infer object type/i.test(refusal.message)) {
    return new ActivateError('NOT_FOUND', 'HubSpot has no such kind of record.', {
      fix: 'Choose another one.',
    });
  }
  const codes = faultsIn(refusal).map(({ code }) => code);
  if (rows !== undefined && codes.includes('PROPERTY_DOESNT_EXIST')) {
    return new ActivateError('CONFIG_INVALID', `HubSpot lacks a property that is mapped. It says: ${says}`, {
      fix: 'Take it out of the mapping, or make it in HubSpot.',
    });
  }
  return rows === undefined
    ? errorOf(answer, 'HubSpot', says)
    : new ActivateError('ROW_REJECTED', refusalText(refusal, rows));
}

export function refusalIn({ text }: HttpAnswer): Refusal {
  return jsonAs(text, refusalShape) ?? refusalShape.parse({});
}

interface Fault {
  /** The property, where it is named. */
  readonly name: string | undefined;
  readonly code: string;
  readonly message: string;
}

const faults = z.array(
  z.object({ name: z.string().optional(), error: z.string().default(''), message: z.string().default('') }),
);

/** What is wrong with single properties: in details of their own, or as JSON in the middle of a sentence. */
function faultsIn({ message, errors }: Refusal): readonly Fault[] {
  const detailed = errors.map(({ message: says, code, context }): Fault => {
    const [name] = [context['propertyName']].flat();
    return { name: typeof name === 'string' ? name : undefined, code, message: says };
  });
  return [message, ...errors.map((error) => error.message)].flatMap(quotedFaults).concat(detailed);
}

function quotedFaults(message: string): readonly Fault[] {
  const quoted = /Property values were not valid: (\[[\s\S]*\])/.exec(message)?.[1];
  const found = jsonAs(quoted ?? '[]', faults) ?? [];
  return found.map(({ name, error: code, message: says }) => ({ name, code, message: says }));
}

function wordsOf(refusal: Refusal, rows: unknown): string {
  const [fault] = faultsIn(refusal);
  return theirWords(fault === undefined || fault.message === '' ? refusal.message : fault.message, rows);
}

const passing = /RATE_LIMIT|INTERNAL|UNAVAILABLE|TIMEOUT|LOCK|MIGRATION/;

/** Whether it says that a record with this value is there already; `id` is which, where it says that too. */
export function takenIn({ category, message, ...rest }: Refusal): { readonly id?: string } | undefined {
  const all = [
    message,
    ...faultsIn({ category, message, ...rest }).map((fault) => `${fault.message} ${fault.code}`),
  ];
  if (
    category !== 'CONFLICT' &&
    !all.some((text) => /already (?:exists|has that value)|UNIQUE_VALUE/i.test(text))
  ) {
    return undefined;
  }
  const id = /Existing ID:\s*(\d+)/i.exec(message)?.[1];
  return id === undefined ? {} : { id };
}

/** What a refusal says of rows of which nobody knows which it is about. */
export function refusalText(refusal: Refusal, rows: unknown): string {
  return `HubSpot refuses this. It says: ${wordsOf(refusal, rows)}`;
}

/** What became of a row that HubSpot did not take. */
export function outcomeOf(refusal: Refusal, row: unknown): Outcome {
  if (passing.test(refusal.category)) {
    return { state: 'retry', reason: `HubSpot was busy with this record (${refusal.category}).` };
  }
  const [fault] = faultsIn(refusal);
  const words = wordsOf(refusal, row);
  const name = fault?.name !== undefined && /^\w{1,100}$/.test(fault.name) ? fault.name : undefined;
  const code = fault !== undefined && /^\w{1,60}$/.test(fault.code) ? ` (${fault.code})` : '';
  return {
    state: 'rejected',
    reason: `HubSpot refuses ${name ?? 'this record'}${code}. It says: ${words}`,
    ...(name === undefined ? {} : { field: name }),
  };
}
