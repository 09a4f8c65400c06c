import { createHash } from 'node:crypto';
import type { Sql } from '../contracts/db.ts';
import { type ConnectionRecord, connectionById } from '../store/connections.ts';
import type { Basis, Hold } from '../store/holds.ts';
import { type Model, modelById } from '../store/models.ts';
import type { Plans } from '../store/plans.ts';
import { type Sync, syncById } from '../store/syncs.ts';

/** What a person is told of a part of a basis that is no longer what it was. */
const words = {
  query: 'its query was changed',
  settings: 'its settings were changed',
  source: 'its warehouse was connected anew',
  destination: 'its destination was connected anew',
  plan: 'the stored plan is not the one that was shown',
  before: 'what it would change was changed meanwhile',
  change: 'the stored change is not the one that was shown',
} as const satisfies Readonly<Record<string, string>>;

/** A sync and its model as a plan was made with them, or as they are now. */
export interface Planned {
  readonly sync: Sync;
  readonly model: Model;
}

/** All that decides what a run of a sync writes, apart from the rows. Secrets count in their sealed form. */
export async function basisOf(sql: Sql, { sync, model }: Planned): Promise<Basis> {
  const source = await connectionById(sql, 'source', model.sourceId);
  const destination =
    sync.destinationId === null ? undefined : await connectionById(sql, 'destination', sync.destinationId);
  return {
    query: digest([model.sql, model.key]),
    settings: digest([sync.framework, sync.settings, sync.destinationId]),
    source: digest(connected(source)),
    ...(destination === undefined ? {} : { destination: digest(connected(destination)) }),
  };
}

function connected({ id, connector, config, secrets }: ConnectionRecord): unknown {
  return [id, connector, config, secrets];
}

/** The same, and every change of a run's plan as it is stored. */
export async function basisOfRun(sql: Sql, plans: Plans, planned: Planned, runId: number): Promise<Basis> {
  return { ...(await basisOf(sql, planned)), plan: await plans.digest(runId) };
}

/** The sync and its model as they are now; undefined when the sync is gone. */
export async function asItIs(sql: Sql, syncId: number): Promise<Planned | undefined> {
  const sync = await syncById(sql, syncId);
  return sync === undefined ? undefined : { sync, model: await modelById(sql, sync.modelId) };
}

/** One text for a question that was asked: what it is about, and which of several alike. People see and type its first characters. */
export function fingerprintOf(basis: Basis, question: number | string): string {
  return digest([basis, question]);
}

/** The same as {@link whatChanged}, for a hold whose basis may itself be another than the one that was shown. */
export function changedSince(
  hold: Pick<Hold, 'id' | 'runId' | 'basis' | 'fingerprint'>,
  now: Basis,
): string | undefined {
  return fingerprintOf(hold.basis, hold.runId ?? hold.id) === hold.fingerprint
    ? whatChanged(hold.basis, now)
    : words.plan;
}

/** What is no longer as it was, as the rest of a sentence; undefined when nothing is. Parts that `now` lacks are not compared. */
export function whatChanged(then: Basis, now: Basis): string | undefined {
  const changed = Object.keys(now).filter((part) => now[part] !== then[part]);
  return changed.length === 0
    ? undefined
    : changed.map((part) => (words as Readonly<Record<string, string>>)[part] ?? part).join(', and ');
}

/** SHA-256 in hex over a value, whatever order its names are in. */
export function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)) ?? '')
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const entries = Object.entries(value).map(([name, inner]) => [name, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
