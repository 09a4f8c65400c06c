import { z } from 'zod';
import { ActivateError } from '../contracts/errors.ts';
import { errorOf, type Http, type HttpAnswer } from '../contracts/http.ts';
import type { Raw } from '../contracts/refs.ts';

/** A run at the dbt platform. */
export interface PlatformRun {
  readonly id: string;
  readonly environment: string | undefined;
  /** The numbers of its steps: each may have artifacts of its own. */
  readonly steps: readonly number[];
}

const run = z.object({
  data: z.object({
    id: z.union([z.string(), z.number()]).transform(String),
    environment_id: z.union([z.string(), z.number()]).transform(String).nullish(),
    run_steps: z
      .array(z.object({ index: z.number() }))
      .nullish()
      .catch(undefined),
  }),
});
const runs = z.object({ data: z.array(run.shape.data) });

/** The administrative API of a dbt platform, version 2. */
export function platformOf(http: Pick<Http, 'send'>, config: Raw, token: string) {
  const base = `${(config['baseUrl'] ?? '').replace(/\/+$/, '')}/api/v2/accounts/${config['account']}/runs/`;
  const headers = { authorization: `Token ${token}` };
  const get = async (path: string, query: Raw, signal: AbortSignal): Promise<unknown> => {
    const answer = await http.send({ method: 'GET', url: `${base}${path}`, query, headers, signal });
    if (!answer.ok) {
      throw platformError(answer);
    }
    return answer.json();
  };
  return {
    headers,
    artifact: (runId: string, name: string, step?: number): string =>
      `${base}${encodeURIComponent(runId)}/artifacts/${name}${step === undefined ? '' : `?step=${step}`}`,
    /** The last run of the job that went well; undefined when none has. */
    latest: async (signal: AbortSignal): Promise<PlatformRun | undefined> => {
      const query = {
        job_definition_id: config['job'] ?? '',
        status: '10',
        order_by: '-finished_at',
        limit: '1',
      };
      const [first] = read(runs, await get('', query, signal)).data;
      return first === undefined ? undefined : told(first);
    },
    one: async (id: string, signal: AbortSignal): Promise<PlatformRun> => {
      const query = { include_related: '["run_steps"]' };
      return told(read(run, await get(`${encodeURIComponent(id)}/`, query, signal)).data);
    },
  };
}

function told({ id, environment_id, run_steps }: z.output<typeof run>['data']): PlatformRun {
  return { id, environment: environment_id ?? undefined, steps: (run_steps ?? []).map(({ index }) => index) };
}

function read<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new ActivateError(
      'UNAVAILABLE',
      'The dbt platform answers with something else than it documents.',
      {
        cause: parsed.error,
        fix: 'Check the access URL of the dbt project.',
      },
    );
  }
  return parsed.data;
}

/** What an answer that is none means, with what to do about it. */
export function platformError(answer: HttpAnswer): ActivateError {
  const error = errorOf(answer, 'The dbt platform');
  const fix =
    error.code === 'AUTH_REJECTED' || error.code === 'PERMISSION_DENIED'
      ? 'Make a service token that may read metadata or jobs, and connect again: /activate dbt-connect.'
      : error.code === 'NOT_FOUND'
        ? 'Check account and job; a run without artifacts has none to give.'
        : error.fix;
  return new ActivateError(error.code, error.message, {
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(fix === undefined ? {} : { fix }),
  });
}
