import { Readable } from 'node:stream';
import type { Db } from '../contracts/db.ts';
import { asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import type { Vault } from '../secrets.ts';
import { findProject } from '../store/dbt.ts';
import { keepEvent } from '../store/dbt-events.ts';
import { type HookRequest, platformEventIn, proofOf } from './hooks.ts';
import { readResults } from './results.ts';

export interface HearParts {
  readonly db: Db;
  readonly vault: Vault;
  readonly now: () => Date;
  readonly log: Log;
}

/** What a teller is answered: a status of HTTP and a sentence. */
export interface Heard {
  readonly status: 200 | 400 | 401;
  readonly sentence: string;
}

const refused: Heard = { status: 401, sentence: 'This request is not signed as it should be.' };

/**
 * Takes down that dbt ran, once that is proven. What it asks for is done later; a teller that comes again is answered the same.
 * Whether there is a project of this name is not told to those who can't sign.
 */
export async function hear(parts: HearParts, name: string, request: HookRequest): Promise<Heard> {
  const project = await findProject(parts.db, name);
  const secret = project === undefined ? undefined : parts.vault.unseal(project.secrets)['webhook'];
  if (project === undefined || secret === undefined) {
    return refused;
  }
  const proof = proofOf(request, secret, parts.now());
  if (!proof.ok) {
    parts.log.warn({ project: name, reason: proof.reason }, 'a webhook of dbt was refused');
    return refused;
  }
  try {
    const event = proof.by === 'platform' ? platformEvent(request) : await ciEvent(request);
    const known =
      event !== undefined && !(await keepEvent(parts.db, { ...event, projectId: project.id }, parts.now()));
    return { status: 200, sentence: known ? 'It was taken before.' : 'Taken.' };
  } catch (thrown) {
    const error = asActivateError(thrown);
    if (error.code !== 'INPUT_INVALID') {
      throw error;
    }
    return { status: 400, sentence: `${error.message} ${error.fix ?? ''}`.trim() };
  }
}

/** Only the end of a run says something: `completed` comes for those that failed, too, beside `errored`. */
function platformEvent({ body }: HookRequest) {
  const event = platformEventIn(body);
  if (event?.eventType !== 'job.run.completed') {
    return undefined;
  }
  const { runId, jobId, environmentId, runStatus } = event.data;
  const about = {
    kind: 'platform',
    runId,
    jobId,
    environmentId: environmentId ?? null,
    status: runStatus ?? '',
  } as const;
  return { eventId: event.eventId, about };
}

/** The run's own id tells a repeat: a step of CI that is tried again signs anew. */
async function ciEvent({ headers, body }: HookRequest) {
  const { invocationId, results } = await readResults(Readable.from([body]));
  return {
    eventId: invocationId ?? String(headers['webhook-id']),
    about: { kind: 'results', results } as const,
  };
}
