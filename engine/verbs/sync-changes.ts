import { isDeepStrictEqual } from 'node:util';
import { aboutNothing, type ChangeGate } from '../approvals/changes.ts';
import { namesOf, objectionTo } from '../approvals/deciders.ts';
import { endWithin, outdateHolds } from '../approvals/end.ts';
import type { Caller } from '../contracts/command.ts';
import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import { linkFor } from '../dbt/link.ts';
import { describedWhole } from '../document/declared.ts';
import { type ApprovalPolicy, approvalPolicy, isWeaker, policyWords, usualPolicy } from '../model/policy.ts';
import { nextRun } from '../schedule/cron.ts';
import type { SyncDetail, SyncDraft } from '../services.ts';
import { checkSettings, parseSettings } from '../setup/index.ts';
import { connectionNamed } from '../store/connections.ts';
import { linkModel } from '../store/dbt.ts';
import { approversAt, lockPendingRunHolds } from '../store/holds.ts';
import { dropModelIfUnused, modelById, saveModel } from '../store/models.ts';
import { deleteSync, insertSync, syncById, syncNamed, syncsOfModel, updateSync } from '../store/syncs.ts';
import { detailOf, readersOf } from './describe.ts';
import type { Examiner } from './examine.ts';
import { here, type VerbParts } from './parts.ts';

/** Makes a sync, through the gate. */
export async function createSync(
  parts: VerbParts,
  examiner: Examiner,
  gate: ChangeGate,
  draft: SyncDraft,
  by: Caller,
): Promise<SyncDetail> {
  const columns = await examiner.describe(draft.source, draft.sql);
  await linkFor(parts.db, draft);
  await verified(parts, draft, columns);
  const taken = await parts.db.query('select 1 from syncs where name = $1', [draft.name]);
  if (taken.length > 0) {
    const sentence = `There is already an alert or a sync "${draft.name}".`;
    throw new ActivateError('INPUT_INVALID', sentence, {
      fix: 'Give it another name.',
      fields: { name: sentence },
    });
  }
  const policy = await firstPolicy(parts, draft, by);
  const whole = { ...draft, policy, reportTo: draft.reportTo ?? here(by) };
  const syncs = await readersOf(parts, whole);
  await gate.pass(
    { kind: 'sync', name: draft.name, draft: whole },
    { syncs, before: null, after: whole },
    by,
  );
  return detailOf(parts, await syncNamed(parts.db, draft.name));
}

/** What a new sync asks for. */
async function firstPolicy(parts: VerbParts, draft: SyncDraft, by: Caller): Promise<ApprovalPolicy> {
  const usual = await usualFor(parts, draft);
  const policy = draft.policy ?? usual.usual;
  await mustAskAsUsual(parts, policy, usual, by);
  return policy;
}

/** Only who may decide at a place may ask for less than is usual there, or other people than those named there. */
async function mustAskAsUsual(
  parts: VerbParts,
  policy: ApprovalPolicy,
  { usual, named }: Usual,
  by: Caller,
): Promise<void> {
  const known = new Set(named.map((entry) => entry.toLowerCase()));
  const elsewhere = [...policy.approvers, ...policy.escalateTo].some(
    (entry) => !known.has(entry.toLowerCase()),
  );
  if (!isWeaker(policy, usual) && !(named.length > 0 && elsewhere)) {
    return;
  }
  const asked = { ...usual, approvers: [...named] };
  const objection = await objectionTo(parts, aboutNothing(by), [asked], by);
  if (objection !== undefined) {
    const sentence = `Here it is usual to ask more: ${policyWords(usual, await namesOf(parts, named))}`;
    throw new ActivateError('NOT_ALLOWED', sentence, {
      fix: 'Ask for that as well, or have an approver make it.',
      fields: { ask: sentence },
    });
  }
}

interface Usual {
  readonly usual: ApprovalPolicy;
  readonly named: readonly string[];
}

/** A sync that goes elsewhere, or does something else with what is there, asks for at least what is usual for that. */
async function mustStillAsk(
  parts: VerbParts,
  { sync, destination }: Extract<SyncDetail, { kind: 'sync' }>,
  draft: SyncDraft,
  by: Caller,
): Promise<void> {
  const after = await usualFor(parts, draft);
  const { framework } = draft;
  const before = await usualFor(parts, {
    framework,
    settings: sync.settings,
    destination: destination.name,
  });
  if (!isDeepStrictEqual(before, after)) {
    await mustAskAsUsual(parts, draft.policy ?? approvalPolicy.parse(sync.policy), after, by);
  }
}

/** What is usual for a sync like that, and who decides at its destination. */
export async function usualFor(
  parts: VerbParts,
  draft: Pick<SyncDraft, 'framework' | 'settings' | 'destination'>,
): Promise<Usual> {
  const settings = parseSettings(draft.framework, draft.settings);
  const destination = await connectionNamed(parts.db, 'destination', draft.destination);
  const named = await approversAt(parts.db, `destination ${destination.id}`);
  return { usual: usualPolicy(draft.framework, settings, named), named };
}

interface Update {
  readonly name: string;
  readonly draft: SyncDraft;
  readonly by: Caller;
}

/** Changes a sync, through the gate. */
export async function updateSettings(
  parts: VerbParts,
  examiner: Examiner,
  gate: ChangeGate,
  { name, draft, by }: Update,
): Promise<SyncDetail> {
  const sync = await syncNamed(parts.db, name);
  if (sync.framework !== draft.framework) {
    throw new ActivateError('INPUT_INVALID', `${name} is of another kind; make a new one instead.`);
  }
  const detail = await detailOf(parts, sync);
  const columns = await examiner.describe(draft.source, draft.sql);
  await linkFor(parts.db, draft);
  await verified(parts, draft, columns);
  if (detail.kind === 'sync') {
    await mustStillAsk(parts, detail, draft, by);
  }
  const after = await detailAfter(parts, detail, draft);
  const touched = {
    syncs: [
      sync,
      ...(await readersOf(parts, { ...draft, model: draft.model ?? detail.model.name })).filter(
        ({ id }) => id !== sync.id,
      ),
    ],
    before: describedWhole(detail),
    after: describedWhole(after),
  };
  await gate.pass({ kind: 'sync', name, draft }, touched, by);
  return detailOf(parts, await syncNamed(parts.db, name));
}

/** A sync as it would be with a draft's settings. */
async function detailAfter(parts: VerbParts, now: SyncDetail, draft: SyncDraft): Promise<SyncDetail> {
  const { sync, model } = now;
  return {
    ...now,
    kind: 'sync',
    destination: await connectionNamed(parts.db, 'destination', draft.destination),
    source: await connectionNamed(parts.db, 'source', draft.source),
    model: { ...model, sql: draft.sql, key: draft.key },
    dbt: draft.dbt,
    sync: {
      ...sync,
      settings: parseSettings(draft.framework, draft.settings),
      cron: draft.schedule.cron,
      timeZone: draft.schedule.timeZone,
      policy: draft.policy ?? sync.policy,
      reportTo: draft.reportTo ?? sync.reportTo,
    },
  };
}

/** Makes or changes a sync as a draft says: what the gate does once a change may be made. */
export async function storeSync(
  parts: VerbParts,
  examiner: Examiner,
  { name, draft, by }: Update,
  record: (sql: Sql) => Promise<void>,
): Promise<void> {
  const [known] = await parts.db.query<{ id: number }>('select id from syncs where name = $1', [name]);
  const sync = known === undefined ? undefined : await syncById(parts.db, known.id);
  const columns = await examiner.describe(draft.source, draft.sql);
  const link = await linkFor(parts.db, draft);
  await verified(parts, draft, columns);
  const source = await connectionNamed(parts.db, 'source', draft.source);
  const destination = await connectionNamed(parts.db, 'destination', draft.destination);
  const before = sync === undefined ? undefined : await modelById(parts.db, sync.modelId);
  const settings = parseSettings(draft.framework, draft.settings);
  const otherKey = before !== undefined && !isDeepStrictEqual(before.key, draft.key);
  const anew = sync !== undefined && (destination.id !== sync.destinationId || otherKey);
  if (anew) {
    // What was told elsewhere, or under other keys, was not told here.
    await parts.told.forget(sync.id);
  }
  await parts.db.transaction(async (sql) => {
    const model = await saveModel(sql, {
      name: draft.model ?? before?.name ?? draft.name,
      sourceId: source.id,
      sql: draft.sql,
      key: draft.key,
      columns,
    });
    await linkModel(sql, model.id, link);
    const kept = {
      modelId: model.id,
      destinationId: destination.id,
      settings,
      cron: draft.schedule.cron,
      timeZone: draft.schedule.timeZone,
      nextDueAt: draft.startsNow ? parts.now() : (nextRun(draft.schedule, parts.now()) ?? null),
      policy: draft.policy ?? sync?.policy ?? {},
      reportTo: draft.reportTo ?? sync?.reportTo ?? null,
    };
    if (sync === undefined) {
      await insertSync(sql, { ...kept, name, framework: draft.framework, createdBy: Number(by.id) });
    } else {
      // Our database keeps the names of settings in an order of its own. Another text is no reason to write to all again.
      const resend = draft.framework !== 'mail' && !isDeepStrictEqual(settings, sync.settings);
      await updateSync(sql, sync.id, { ...kept, resend, anew });
      await dropModelIfUnused(sql, sync.modelId);
    }
    await outdateHolds(sql, await syncsOfModel(sql, model.id), by);
    await record(sql);
  });
}

/** Deletes a sync, and with it what waits about it. */
export async function dropSync(
  parts: VerbParts,
  name: string,
  by: Caller,
  record: (sql: Sql) => Promise<void>,
): Promise<void> {
  const sync = await syncNamed(parts.db, name);
  await parts.db.transaction(async (sql) => {
    for (const hold of await lockPendingRunHolds(sql, sync.id)) {
      await endWithin(sql, hold, { state: 'superseded', by, verdict: 'The sync was deleted.' });
    }
    await deleteSync(sql, sync.id);
    await dropModelIfUnused(sql, sync.modelId);
    await record(sql);
  });
}

/** Asks the destination whether this can work, and refuses a key that is no column. */
export async function verified(
  parts: VerbParts,
  draft: SyncDraft,
  columns: readonly Column[],
): Promise<readonly string[]> {
  const names = columns.map((column) => column.name);
  const missing = draft.key.find((name) => !names.includes(name));
  if (missing !== undefined) {
    const sentence = `There is no column "${missing}". The columns are: ${names.join(', ')}.`;
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { key: sentence } });
  }
  const destination = await connectionNamed(parts.db, 'destination', draft.destination);
  return checkSettings(parts.connections, destination, draft.framework, draft.settings, {
    columns,
    key: draft.key,
    timeZone: draft.schedule.timeZone,
    publicUrl: parts.publicUrl,
  });
}
