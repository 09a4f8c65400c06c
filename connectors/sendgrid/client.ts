import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import type { ActivateError } from '../../engine/contracts/errors.ts';
import { errorOf, type HttpAnswer, type HttpRequest, theirWords } from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import type { Login } from './config.ts';

/** Of the Web API. */
export const version = 'v3';

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Below the version, without a slash before it. */
  readonly path: string;
  readonly signal?: AbortSignal;
}

/** What SendGrid answered: JSON, or why it does not do it. */
export type Reply =
  | { readonly body: unknown }
  | { readonly status: number; readonly complaints: readonly Complaint[]; readonly error: ActivateError };

/** One sentence of a refusal. */
export interface Complaint {
  readonly message: string;
  /** As `contacts[3].email`, when it is about one. */
  readonly field: string;
}

/** The way to one account. */
export interface Client {
  /** Throws only where there is no answer. */
  ask(request: Asked): Promise<Reply>;
}

export function openClient({ base, apiKey }: Login, { http, now }: ConnectorContext): Client {
  return {
    ask: async ({ path, ...request }) => {
      const answer = await http.send({
        ...request,
        url: `${base}/${version}/${path}`,
        headers: { authorization: `Bearer ${apiKey}` },
        // Thousands of people take their time.
        timeoutMs: 120_000,
      });
      if (answer.ok) {
        return { body: answer.json() };
      }
      const complaints = complaintsIn(answer.text);
      return { status: answer.status, complaints, error: errorIn(answer, complaints, request.json, now()) };
    },
  };
}

/** Reads what is needed of an answer; throws its error when it is one, and OUTCOME_UNKNOWN when that is not there. */
export function read<T extends z.ZodType>(shape: T, reply: Reply): z.output<T> {
  if ('error' in reply) {
    throw reply.error;
  }
  return readBody(shape, reply.body);
}

const readBody = readOr('SendGrid answered with something else than it is known to.');

// Errors -------------------------------------------------------------------------------------------------------------

const refusalShape = z.object({
  errors: z.array(z.object({ message: z.string().default(''), field: z.string().nullish() })),
});

function complaintsIn(text: string): readonly Complaint[] {
  const { errors } = jsonAs(text, refusalShape) ?? { errors: [] };
  return errors.map(({ message, field }) => ({ message, field: field ?? '' }));
}

/** How its sentences are told, without what was sent. */
export function wordsOf(complaints: readonly Complaint[], sent: unknown): string {
  return theirWords([...new Set(complaints.slice(0, 3).map(({ message }) => message))].join(' '), sent);
}

function errorIn(
  answer: HttpAnswer,
  complaints: readonly Complaint[],
  sent: unknown,
  now: Date,
): ActivateError {
  const words = wordsOf(complaints, sent);
  return errorOf(
    { ...answer, retryAfterMs: answer.retryAfterMs ?? untilReset(answer, now) },
    'SendGrid',
    words,
  );
}

/** SendGrid does not name a wait but the second at which its count begins anew, since 1970. */
function untilReset({ status, headers }: HttpAnswer, now: Date): number | undefined {
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN);
  return status === 429 && Number.isFinite(reset) ? Math.max(1000, reset * 1000 - now.getTime()) : undefined;
}
