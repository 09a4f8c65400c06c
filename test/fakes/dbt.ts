import { createHmac, randomUUID } from 'node:crypto';
import { type FakeHttp, startFakeHttp } from './http.ts';

/** A run of a job at the dbt platform. Artifacts are by step, or of the run as a whole. */
export interface FakeRun {
  readonly id: number;
  readonly job: number;
  readonly environment: number;
  /** 10 success, 20 error, 30 cancelled. */
  readonly status: number;
  /** By name, and by step as `run_results.json?step=4`. */
  readonly artifacts: Readonly<Record<string, unknown>>;
  readonly steps?: readonly number[];
}

export interface DbtState {
  token: string;
  readonly account: string;
  readonly runs: FakeRun[];
}

/** A dbt platform: version 2 of its administrative API, as far as runs and artifacts go. */
export async function startDbtPlatform(): Promise<FakeHttp<DbtState>> {
  const state: DbtState = { token: 'dbts_0123456789abcdef', account: '7001', runs: [] };
  const notThere = {
    status: 404,
    json: { status: { code: 404, is_success: false, user_message: 'Not found' }, data: null },
  };
  const found = (given: DbtState, id: string): FakeRun | undefined =>
    given.runs.find((run) => String(run.id) === id);
  const told = (run: FakeRun, steps: boolean) => ({
    id: run.id,
    job_definition_id: run.job,
    environment_id: run.environment,
    status: run.status,
    ...(steps ? { run_steps: (run.steps ?? []).map((index) => ({ index, name: `step ${index}` })) } : {}),
  });
  return startFakeHttp<DbtState>(
    state,
    {
      'GET /api/v2/accounts/:account/runs/': ({ query }, given) => {
        const wanted = given.runs
          .filter((run) => String(run.job) === query.get('job_definition_id'))
          .filter((run) => String(run.status) === query.get('status'));
        const newest = query.get('order_by') === '-finished_at' ? [...wanted].reverse() : wanted;
        const data = newest.slice(0, Number(query.get('limit'))).map((run) => told(run, false));
        return { json: { status: { code: 200, is_success: true }, data } };
      },
      'GET /api/v2/accounts/:account/runs/:run/': ({ params, query }, given) => {
        const run = found(given, params['run'] ?? '');
        const steps = query.get('include_related') === '["run_steps"]';
        return run === undefined ? notThere : { json: { status: { code: 200 }, data: told(run, steps) } };
      },
      'GET /api/v2/accounts/:account/runs/:run/artifacts/:name': ({ params, query }, given) => {
        const step = query.get('step');
        const name = `${params['name']}${step === null ? '' : `?step=${step}`}`;
        const artifact = found(given, params['run'] ?? '')?.artifacts[name];
        return artifact === undefined ? notThere : { json: artifact };
      },
    },
    ({ headers, path }, given) => {
      if (headers['authorization'] !== `Token ${given.token}`) {
        return { status: 401, json: { status: { code: 401, user_message: 'Invalid token.' }, data: null } };
      }
      return path.includes(`/accounts/${given.account}/`) ? undefined : notThere;
    },
  );
}

/** What the platform posts at the end of a run. */
export interface Told {
  readonly runId: number;
  readonly jobId?: number;
  readonly environmentId?: number;
  readonly runStatus?: string;
  readonly eventType?: string;
  readonly eventId?: string;
  readonly timestamp?: string;
}

/** A webhook as the platform sends it: signed over its bytes alone, hexadecimal, without a word before. */
export function platformHook(
  secret: string,
  told: Told,
): { readonly headers: Record<string, string>; readonly body: string } {
  const { runId, jobId = 11, environmentId = 22, runStatus = 'Success' } = told;
  const body = JSON.stringify({
    accountId: 7001,
    webhookId: 'wsu_1',
    eventId: told.eventId ?? `wev_${randomUUID()}`,
    timestamp: told.timestamp ?? new Date().toISOString(),
    eventType: told.eventType ?? 'job.run.completed',
    webhookName: 'activate',
    data: {
      jobId: String(jobId),
      jobName: 'Production',
      runId: String(runId),
      environmentId: String(environmentId),
      environmentName: 'Production',
      dbtVersion: '1.10.1',
      projectName: 'Shop',
      projectId: '5',
      runStatus,
      runStatusCode: runStatus === 'Success' ? 10 : 20,
      runStatusMessage: null,
      runReason: 'Scheduled',
      runStartedAt: new Date().toISOString(),
      runFinishedAt: new Date().toISOString(),
    },
  });
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return { headers: { authorization: signature, 'content-type': 'application/json' }, body };
}

/** run_results.json as `dbt build` writes it. */
export function runResults(
  results: Readonly<Record<string, string>>,
  { which = 'build', invocation = randomUUID() as string } = {},
) {
  return {
    metadata: {
      dbt_schema_version: 'https://schemas.getdbt.com/dbt/run-results/v6.json',
      dbt_version: '1.10.1',
      generated_at: new Date().toISOString(),
      invocation_id: invocation,
    },
    results: Object.entries(results).map(([unique_id, status]) => ({
      status,
      timing: [],
      thread_id: 'Thread-1',
      execution_time: 0.1,
      adapter_response: {},
      message: null,
      failures: null,
      unique_id,
      compiled: true,
      compiled_code: 'select 1',
      relation_name: null,
    })),
    elapsed_time: 1.5,
    args: { which, invocation_command: `dbt ${which}` },
  };
}
