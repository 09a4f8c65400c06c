import { z } from 'zod';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type HttpAnswer, theirWords } from '../../engine/contracts/http.ts';

/** One row's answer. `status` is one of HTTP's, or a word: `ok`, `retry`, and anything else for refused. */
const result = z.object({
  key: z.string(),
  status: z.union([z.number(), z.string()]).optional(),
  error: z.string().optional(),
  id: z.union([z.string(), z.number()]).optional(),
  url: z.url({ protocol: /^https?$/ }).optional(),
});
const perRow = z.object({ results: z.array(result) });
type Result = z.output<typeof result>;

interface Sent {
  readonly key: string;
}

/**
 * What a 2xx says of each row. Without `results` it is a yes to all; with them, or with status 207, each row needs one
 * of its own, and what became of the others is unknown. JSON that can't be read may hold a refusal: unknown as a whole.
 */
export function outcomesOf(answer: HttpAnswer, sent: readonly Sent[]): readonly Outcome[] {
  const parsed = perRow.safeParse(jsonIn(answer));
  if (!parsed.success && answer.status !== 207) {
    return sent.map(() => ({ state: 'ok' }));
  }
  const results = new Map((parsed.data?.results ?? []).map((one) => [one.key, one]));
  return sent.map((row) => {
    const own = results.get(row.key);
    return own === undefined
      ? { state: 'unknown', reason: 'The receiver does not say what became of this row.' }
      : outcomeOf(own, row);
  });
}

/** What a receiver may say of a task that it made. */
const made = z.object({ id: result.shape.id, url: result.shape.url });

export function madeIn(answer: HttpAnswer): {
  readonly id: string | undefined;
  readonly url: string | undefined;
} {
  const { id, url } = made.safeParse(jsonIn(answer)).data ?? {};
  return { id: id === undefined ? undefined : String(id), url };
}

function outcomeOf({ status = 'ok', error, id, url }: Result, sent: Sent): Outcome {
  const reason = error === undefined ? 'The receiver does not say why.' : theirWords(error, sent);
  switch (verdict(error !== undefined && status === 'ok' ? 'error' : status)) {
    case 'ok':
      return {
        state: 'ok',
        ...(id === undefined ? {} : { id: String(id) }),
        ...(url === undefined ? {} : { url }),
      };
    case 'retry':
      return { state: 'retry', reason };
    case 'rejected':
      return { state: 'rejected', reason };
  }
}

function verdict(status: number | string): 'ok' | 'retry' | 'rejected' {
  if (typeof status === 'string') {
    return status === 'ok' || status === 'retry' ? status : 'rejected';
  }
  if (status >= 200 && status < 300) {
    return 'ok';
  }
  return status >= 500 || [408, 425, 429].includes(status) ? 'retry' : 'rejected';
}

function jsonIn(answer: HttpAnswer): unknown {
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/.test(answer.headers['content-type'] ?? '');
  if (!isJson || answer.text === '') {
    if (answer.status === 207) {
      throw new ActivateError('OUTCOME_UNKNOWN', 'The receiver answers 207 without JSON.');
    }
    return undefined;
  }
  return answer.json();
}
