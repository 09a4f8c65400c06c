import { z } from 'zod';
import { ActivateError } from '../contracts/errors.ts';
import { entriesOf, type Sections } from './entries.ts';

/** What became of one node in a run. */
export interface RunResult {
  readonly uniqueId: string;
  /** `success`, `error`, `skipped`, …; of tests `pass`, `warn`, `fail`, `error`. */
  readonly status: string;
}

export interface RunResults {
  /** The run's own id, where the artifact has one. */
  readonly invocationId: string | undefined;
  /** Nothing where the command builds nothing: `dbt compile` says `success` of models, too. */
  readonly results: readonly RunResult[];
}

const sections: Sections = {
  metadata: { whole: true },
  args: { whole: true },
  results: { fields: new Set(['unique_id', 'status']) },
};

const metadata = z.looseObject({ dbt_schema_version: z.string(), invocation_id: z.string().nullish() });
const args = z.looseObject({ which: z.string().nullish().catch(undefined) });
const result = z.looseObject({ unique_id: z.string(), status: z.string() });

const building = ['build', 'run', 'seed', 'snapshot', 'test', 'retry'];

/** Reads run_results.json. Throws INPUT_INVALID for what is none, or is cut short. */
export async function readResults(bytes: AsyncIterable<Uint8Array>): Promise<RunResults> {
  const found = { about: {} as unknown, args: {} as unknown, results: [] as RunResult[] };
  try {
    for await (const { section, value } of entriesOf(bytes, sections)) {
      if (section === 'results') {
        const { unique_id: uniqueId, status } = result.parse(value);
        found.results.push({ uniqueId, status });
      } else {
        found[section === 'metadata' ? 'about' : 'args'] = value;
      }
    }
  } catch (thrown) {
    throw thrown instanceof ActivateError ? thrown : notResults(thrown);
  }
  const about = metadata.safeParse(found.about).data;
  if (about === undefined || !/\/run-results\/v\d+(\.json)?$/.test(about.dbt_schema_version)) {
    throw notResults(undefined);
  }
  const which = args.safeParse(found.args).data?.which ?? 'build';
  return {
    invocationId: about.invocation_id ?? undefined,
    results: building.includes(which) ? found.results : [],
  };
}

function notResults(cause: unknown): ActivateError {
  return new ActivateError('INPUT_INVALID', 'This is no whole run_results.json of dbt.', {
    cause,
    fix: 'Send target/run_results.json as dbt wrote it.',
  });
}

/** What a run means for a model: whether it was built, and which of its tests failed. */
export interface Verdict {
  readonly built: boolean;
  readonly failedTests: readonly string[];
}

/** Where a node was tried several times, as steps of a job do, the last time counts. */
export function verdictOn(
  results: readonly RunResult[],
  model: { readonly uniqueId: string; readonly tests: readonly string[] },
): Verdict {
  const last = new Map(results.map((one) => [one.uniqueId, one.status]));
  return {
    built: last.get(model.uniqueId) === 'success',
    failedTests: model.tests.filter((id) => ['fail', 'error'].includes(last.get(id) ?? '')),
  };
}
