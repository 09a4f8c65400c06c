import { isDeepStrictEqual } from 'node:util';
import { frameworkWords } from '../cards/words.ts';
import { ActivateError } from '../contracts/errors.ts';
import { parseTarget } from '../contracts/refs.ts';
import { referenceFor } from '../dbt/link.ts';
import { settingsOf } from '../frameworks/notify.ts';
import type { AlertTarget } from '../model/alert.ts';
import type { AlertDetail, SyncDetail, SyncDraft } from '../services.ts';
import { connectionById } from '../store/connections.ts';
import { modelById } from '../store/models.ts';
import { recentRuns } from '../store/runs.ts';
import { type Sync, syncNamed, syncsOfModel } from '../store/syncs.ts';
import { stateOf } from '../store/warehouse-states.ts';
import type { VerbParts } from './parts.ts';
import { nameOf } from './places.ts';

/** A sync with everything that describes it. */
export async function detailOf(parts: VerbParts, sync: Sync): Promise<SyncDetail> {
  if (sync.framework === 'notify') {
    return alertDetail(parts, sync);
  }
  const model = await modelById(parts.db, sync.modelId);
  const [source, destination, [lastRun], dbt, state] = await Promise.all([
    connectionById(parts.db, 'source', model.sourceId),
    connectionById(parts.db, 'destination', sync.destinationId as number),
    recentRuns(parts.db, sync.id, 1),
    referenceFor(parts.db, model.id),
    stateOf(parts.db, sync.id),
  ]);
  const described = { sync, model, source, lastRun, dbt, inside: state !== undefined };
  return { kind: 'sync', ...described, destination, goesTo: [destination.name] };
}

/** Throws INPUT_INVALID when it is a sync of another kind. */
export async function alertNamed(parts: VerbParts, name: string): Promise<AlertDetail> {
  const sync = await syncNamed(parts.db, name);
  if (sync.framework !== 'notify') {
    const sentence = `${name} is a ${frameworkWords[sync.framework]}, not an alert.`;
    throw new ActivateError('INPUT_INVALID', sentence, {
      fix: `See /activate show ${name}.`,
      fields: { name: sentence, alert: sentence },
    });
  }
  return alertDetail(parts, sync);
}

/** An alert with everything that describes it. */
export async function alertDetail(parts: VerbParts, sync: Sync): Promise<AlertDetail> {
  const model = await modelById(parts.db, sync.modelId);
  const settings = settingsOf(sync);
  const [source, [lastRun], goesTo, tags, dbt, state] = await Promise.all([
    connectionById(parts.db, 'source', model.sourceId),
    recentRuns(parts.db, sync.id, 1),
    Promise.all(settings.targets.map((target) => called(parts, target))),
    Promise.all(settings.tag.map((tag) => calledPerson(parts, tag))),
    referenceFor(parts.db, model.id),
    stateOf(parts.db, sync.id),
  ]);
  const described = { sync, model, source, lastRun, dbt, inside: state !== undefined };
  return { kind: 'alert', ...described, settings, goesTo, tags };
}

async function called(parts: VerbParts, target: AlertTarget): Promise<string> {
  if (target.type === 'channel-from') {
    return `the channel in ${target.column}`;
  }
  if (target.type === 'person-from') {
    return `the person in ${target.column}`;
  }
  return calledPerson(parts, target.to);
}

export async function calledPerson(parts: VerbParts, written: string): Promise<string> {
  const target = parseTarget(written);
  return target === undefined ? written : nameOf(parts, target);
}

/** The syncs that read the model which a draft would replace by another. */
export async function readersOf(
  parts: VerbParts,
  draft: Pick<SyncDraft, 'name' | 'model' | 'source' | 'sql' | 'key'>,
): Promise<readonly Sync[]> {
  const [model] = await parts.db.query<{ id: number; source: string; sql: string; key: readonly string[] }>(
    `select m.id, s.name as source, m.sql, m.key from models m join sources s on s.id = m.source_id
      where m.name = $1`,
    [draft.model ?? draft.name],
  );
  const same =
    model?.source === draft.source && model.sql === draft.sql && isDeepStrictEqual(model.key, draft.key);
  return model === undefined || same ? [] : syncsOfModel(parts.db, model.id);
}
