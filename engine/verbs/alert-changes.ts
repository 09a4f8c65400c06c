import type { ChangeGate } from '../approvals/changes.ts';
import { outdateHolds } from '../approvals/end.ts';
import type { Caller } from '../contracts/command.ts';
import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import { linkFor } from '../dbt/link.ts';
import { describedWhole } from '../document/declared.ts';
import { AlertText } from '../messages/text.ts';
import { type AlertSettings, alertSettings } from '../model/alert.ts';
import type { AlertDetail, AlertDraft } from '../services.ts';
import { connectionNamed } from '../store/connections.ts';
import { linkModel } from '../store/dbt.ts';
import { dropModelIfUnused, type Model, modelById, saveModel } from '../store/models.ts';
import { insertSync, syncById, syncNamed, syncsOfModel, updateSync } from '../store/syncs.ts';
import { alertDetail, alertNamed, readersOf } from './describe.ts';
import type { Examiner } from './examine.ts';
import { here, type VerbParts } from './parts.ts';

/** What must hold of an alert whatever way it came: the forms check the same, a field at a time. */
function verified(draft: AlertDraft, columns: readonly Column[]): AlertSettings {
  const settings = alertSettings.parse(draft.settings);
  const names = columns.map((column) => column.name);
  const columnsNamed: readonly [string, readonly string[]][] = [
    ['key', draft.key],
    ['watch', settings.watch],
    ['to', settings.targets.flatMap((target) => ('column' in target ? [target.column] : []))],
    ['column', settings.threshold?.column === undefined ? [] : [settings.threshold.column]],
  ];
  for (const [field, named] of columnsNamed) {
    const missing = named.find((name) => !names.includes(name));
    if (missing !== undefined) {
      const sentence = `There is no column "${missing}". The columns are: ${names.join(', ')}.`;
      throw new ActivateError('INPUT_INVALID', sentence, { fields: { [field]: sentence } });
    }
  }
  if (draft.key.length === 0 && settings.trigger !== 'threshold') {
    const sentence = 'Choose the column that tells rows apart.';
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { key: sentence } });
  }
  if (settings.trigger === 'threshold' && settings.threshold === undefined) {
    throw new ActivateError('INPUT_INVALID', 'Say which number is watched, and its limit.');
  }
  new AlertText(settings, { columns });
  return settings;
}

/** Makes an alert, through the gate. */
export async function createAlert(
  parts: VerbParts,
  examiner: Examiner,
  gate: ChangeGate,
  draft: AlertDraft,
  by: Caller,
): Promise<AlertDetail> {
  await linkFor(parts.db, draft);
  verified(draft, await examiner.describe(draft.source, draft.sql));
  const taken = await parts.db.query('select 1 from syncs where name = $1', [draft.name]);
  if (taken.length > 0) {
    throw new ActivateError('INPUT_INVALID', `There is already an alert "${draft.name}".`, {
      fields: { name: `There is already an alert "${draft.name}".` },
    });
  }
  const whole = { ...draft, reportTo: draft.reportTo ?? here(by) };
  const syncs = await readersOf(parts, whole);
  await gate.pass(
    { kind: 'alert', name: draft.name, draft: whole },
    { syncs, before: null, after: whole },
    by,
  );
  return alertNamed(parts, draft.name);
}

interface Update {
  readonly name: string;
  readonly draft: AlertDraft;
  readonly by: Caller;
}

/** Changes an alert, through the gate. */
export async function updateAlert(
  parts: VerbParts,
  examiner: Examiner,
  gate: ChangeGate,
  { name, draft, by }: Update,
): Promise<AlertDetail> {
  await linkFor(parts.db, draft);
  const settings = verified(draft, await examiner.describe(draft.source, draft.sql));
  const detail = await alertDetail(parts, await syncNamed(parts.db, name));
  const { sync, model } = detail;
  const others = await readersOf(parts, { ...draft, model: draft.model ?? model.name });
  const after = {
    ...detail,
    settings,
    source: await connectionNamed(parts.db, 'source', draft.source),
    model: { ...model, sql: draft.sql, key: draft.key },
    dbt: draft.dbt,
    sync: {
      ...sync,
      settings: { ...settings },
      cron: draft.schedule.cron,
      timeZone: draft.schedule.timeZone,
      policy: draft.policy ?? sync.policy,
      reportTo: draft.reportTo ?? sync.reportTo,
    },
  };
  const touched = {
    syncs: [sync, ...others.filter(({ id }) => id !== sync.id)],
    before: describedWhole(detail),
    after: describedWhole(after),
  };
  await gate.pass({ kind: 'alert', name, draft }, touched, by);
  return alertNamed(parts, name);
}

/** Makes or changes an alert as a draft says: what the gate does once a change may be made. */
export async function storeAlert(
  parts: VerbParts,
  examiner: Examiner,
  { name, draft, by }: Update,
  record: (sql: Sql) => Promise<void>,
): Promise<void> {
  const columns = await examiner.describe(draft.source, draft.sql);
  const settings = verified(draft, columns);
  const link = await linkFor(parts.db, draft);
  const source = await connectionNamed(parts.db, 'source', draft.source);
  const [known] = await parts.db.query<{ id: number }>('select id from syncs where name = $1', [name]);
  const sync = known === undefined ? undefined : await syncById(parts.db, known.id);
  const before = sync === undefined ? undefined : await modelById(parts.db, sync.modelId);
  const asked = { sourceId: source.id, sql: draft.sql, key: draft.key };
  if (sync !== undefined && before !== undefined && asksOtherRows(before, asked)) {
    // Another query gives other rows: they are taken as known again, and none of them is news.
    await parts.told.forget(sync.id);
  }
  await parts.db.transaction(async (sql) => {
    const model = await saveModel(sql, {
      ...asked,
      name: draft.model ?? before?.name ?? draft.name,
      columns,
    });
    await linkModel(sql, model.id, link);
    const kept = {
      modelId: model.id,
      destinationId: null,
      settings: { ...settings },
      cron: draft.schedule.cron,
      timeZone: draft.schedule.timeZone,
      // At once: the first run takes what is there as known, so that what comes next is new.
      nextDueAt: parts.now(),
      policy: draft.policy ?? sync?.policy ?? {},
      reportTo: draft.reportTo ?? sync?.reportTo ?? null,
    };
    if (sync === undefined) {
      await insertSync(sql, { ...kept, name, framework: 'notify', createdBy: Number(by.id) });
    } else {
      await updateSync(sql, sync.id, { ...kept, resend: false, anew: false });
      await dropModelIfUnused(sql, sync.modelId);
    }
    await outdateHolds(sql, await syncsOfModel(sql, model.id), by);
    await record(sql);
  });
}

type Asked = Pick<Model, 'sourceId' | 'sql' | 'key'>;

function asksOtherRows(before: Asked, after: Asked): boolean {
  const asked = (model: Asked): string => JSON.stringify([model.sourceId, model.sql, model.key]);
  return asked(before) !== asked(after);
}
