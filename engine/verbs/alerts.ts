import type { ChangeGate } from '../approvals/changes.ts';
import { outdateHolds } from '../approvals/end.ts';
import { alertCard } from '../cards/alert.ts';
import { context } from '../cards/build.ts';
import { frameworkWords } from '../cards/words.ts';
import type { Card, Inline } from '../contracts/card.ts';
import type { Caller } from '../contracts/command.ts';
import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import { type MessageRef, parseTarget } from '../contracts/refs.ts';
import type { Column } from '../contracts/source.ts';
import { describedWhole } from '../document/declared.ts';
import { settingsOf } from '../frameworks/notify.ts';
import { Roster, resolveMentions } from '../messages/mentions.ts';
import { AlertText } from '../messages/text.ts';
import { type AlertSettings, type AlertTarget, alertSettings } from '../model/alert.ts';
import { maskCard } from '../personal/card.ts';
import { personalColumns } from '../personal/columns.ts';
import { maskText } from '../personal/mask.ts';
import { maySee } from '../personal/may-see.ts';
import type { AlertDetail, AlertDraft, Finding, Services } from '../services.ts';
import { connectionById, connectionNamed } from '../store/connections.ts';
import { type Model, modelById, saveModel } from '../store/models.ts';
import { recentRuns } from '../store/runs.ts';
import { insertSync, type Sync, syncById, syncNamed, syncsOfModel, updateSync } from '../store/syncs.ts';
import type { RowText } from '../template/template.ts';
import type { Examiner } from './examine.ts';
import { askLimits, senderOf, type VerbParts } from './parts.ts';
import { nameOf } from './places.ts';
import { here, readersOf } from './sync-changes.ts';

/** Making, changing and looking at alerts. */
export function alertVerbs(parts: VerbParts, examiner: Examiner, gate: ChangeGate): Services['alerts'] {
  return {
    show: async (name) => alertNamed(parts, name),
    checkMessage: (columns, settings) => {
      new AlertText(settings, { columns });
    },
    previewCard: (draft, finding) => previewCard(parts, draft, finding),
    create: (draft, by) => create(parts, examiner, gate, draft, by),
    update: (name, draft, by) => update(parts, examiner, gate, { name, draft, by }),
    test: (name, by) => test(parts, name, by),
  };
}

/** Throws INPUT_INVALID when it is a sync of another kind. */
async function alertNamed(parts: VerbParts, name: string): Promise<AlertDetail> {
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
  const [source, [lastRun], goesTo, tags] = await Promise.all([
    connectionById(parts.db, 'source', model.sourceId),
    recentRuns(parts.db, sync.id, 1),
    Promise.all(settings.targets.map((target) => called(parts, target))),
    Promise.all(settings.tag.map((tag) => calledPerson(parts, tag))),
  ]);
  return { kind: 'alert', sync, settings, model, source, goesTo, tags, lastRun };
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

async function calledPerson(parts: VerbParts, written: string): Promise<string> {
  const target = parseTarget(written);
  return target === undefined ? written : nameOf(parts, target);
}

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

async function create(
  parts: VerbParts,
  examiner: Examiner,
  gate: ChangeGate,
  draft: AlertDraft,
  by: Caller,
): Promise<AlertDetail> {
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

async function update(
  parts: VerbParts,
  examiner: Examiner,
  gate: ChangeGate,
  { name, draft, by }: Update,
): Promise<AlertDetail> {
  const settings = verified(draft, await examiner.describe(draft.source, draft.sql));
  const detail = await alertDetail(parts, await syncNamed(parts.db, name));
  const { sync, model } = detail;
  const others = await readersOf(parts, { ...draft, model: model.name });
  const after = {
    ...detail,
    settings,
    source: await connectionNamed(parts.db, 'source', draft.source),
    model: { ...model, sql: draft.sql, key: draft.key },
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
  const source = await connectionNamed(parts.db, 'source', draft.source);
  const [known] = await parts.db.query<{ id: number }>('select id from syncs where name = $1', [name]);
  const sync = known === undefined ? undefined : await syncById(parts.db, known.id);
  const before = sync === undefined ? undefined : await modelById(parts.db, sync.modelId);
  const asked = { sourceId: source.id, sql: draft.sql, key: draft.key };
  if (sync !== undefined && before !== undefined && asksOtherRows(before, asked)) {
    // Another query gives other rows: they are taken as known again, and none of them is news.
    await parts.snapshots.forget(sync.id);
  }
  await parts.db.transaction(async (sql) => {
    const model = await saveModel(sql, { ...asked, name: before?.name ?? draft.name, columns });
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

async function previewCard(parts: VerbParts, draft: AlertDraft, finding: Finding): Promise<Card> {
  const sample = finding.sample.rows[0];
  const row = Object.fromEntries(
    finding.columns.map(({ name }, at) => [name, sample === undefined ? `(${name})` : (sample[at] ?? null)]),
  );
  const counting = draft.settings.threshold?.on === 'count';
  return compose(
    parts,
    draft.name,
    draft.settings,
    finding,
    counting ? { count: String(finding.rows) } : row,
    draft.key,
  );
}

async function compose(
  parts: VerbParts,
  name: string,
  settings: AlertSettings,
  model: { readonly columns: Finding['columns'] },
  row: RowText,
  key: readonly string[],
): Promise<Card> {
  const text = new AlertText(settings, model);
  const said = text.write({ row, previous: row, alert: { name }, change: 'added' }, false);
  const why = {
    added: 'added',
    changed: 'changed',
    removed: 'removed',
    threshold: 'fired',
    every: 'digest',
  } as const;
  const tags = await Promise.all(
    settings.tag.map(
      async (tag): Promise<Inline> => ({ type: 'mention', name: await calledPerson(parts, tag) }),
    ),
  );
  const card = alertCard({
    ...said,
    tags,
    alert: name,
    key: key.map((column) => row[column] ?? '').join(' / ') || 'all rows',
    why: why[settings.trigger],
  });
  const sender = parts.senders.get(settings.platform);
  return sender === undefined ? card : resolveMentions(card, new Roster(sender));
}

async function test(parts: VerbParts, name: string, by: Caller): Promise<MessageRef> {
  const { model, settings, sync } = await alertNamed(parts, name);
  const source = await parts.connections.source(await connectionById(parts.db, 'source', model.sourceId));
  const { rows } = await source.preview(model.sql, 1, askLimits);
  const counting = settings.threshold?.on === 'count';
  const values = rows[0];
  if (values === undefined && !counting) {
    throw new ActivateError(
      'SOURCE_EMPTY',
      `The query of ${name} gives no rows just now, so there is nothing to show.`,
      {
        fix: 'Try again when it does.',
      },
    );
  }
  const row = counting
    ? { count: String(await source.count(model.sql, askLimits)) }
    : Object.fromEntries(model.columns.map((column, at) => [column.name, values?.[at] ?? null]));
  const asSent = await compose(parts, sync.name, settings, model, row, model.key);
  const personal = personalColumns(model.columns, model.personal);
  const card = maySee(by, parts.personalDataRole)
    ? asSent
    : maskCard(asSent, (text) => maskText(text, [row], personal));
  const message = {
    ...card,
    blocks: [...card.blocks, context('🧪 A test, sent to you alone. Nobody named here was told.')],
  };
  return senderOf(parts, by.platform).post(by.person, { card: unmentioned(message) });
}

/** The card with names in place of mentions: a test must not call anybody. */
function unmentioned(card: Card): Card {
  const quiet = (part: Inline): Inline => {
    if (typeof part === 'string' || part.type === 'code' || part.type === 'break') {
      return part;
    }
    return part.type === 'mention'
      ? { type: 'bold', text: [`@${part.name}`] }
      : { ...part, text: part.text.map(quiet) };
  };
  return {
    ...card,
    blocks: card.blocks.map((block) =>
      block.type === 'text' ? { ...block, text: block.text.map(quiet) } : block,
    ),
  };
}
