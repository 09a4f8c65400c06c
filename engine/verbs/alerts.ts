import type { ChangeGate } from '../approvals/changes.ts';
import { alertCard } from '../cards/alert.ts';
import { context } from '../cards/build.ts';
import type { Card, Inline } from '../contracts/card.ts';
import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { MessageRef } from '../contracts/refs.ts';
import { Roster, resolveMentions } from '../messages/mentions.ts';
import { AlertText } from '../messages/text.ts';
import type { AlertSettings } from '../model/alert.ts';
import { maskCard } from '../personal/card.ts';
import { personalColumns } from '../personal/columns.ts';
import { maskText } from '../personal/mask.ts';
import { maySee } from '../personal/may-see.ts';
import type { AlertDraft, Finding, Services } from '../services.ts';
import { connectionById } from '../store/connections.ts';
import type { RowText } from '../template/template.ts';
import { createAlert, updateAlert } from './alert-changes.ts';
import { alertNamed, calledPerson } from './describe.ts';
import type { Examiner } from './examine.ts';
import { askLimits, senderOf, type VerbParts } from './parts.ts';

/** Making, changing and looking at alerts. */
export function alertVerbs(parts: VerbParts, examiner: Examiner, gate: ChangeGate): Services['alerts'] {
  return {
    show: async (name) => alertNamed(parts, name),
    checkMessage: (columns, settings) => {
      new AlertText(settings, { columns });
    },
    previewCard: (draft, finding) => previewCard(parts, draft, finding),
    create: (draft, by) => createAlert(parts, examiner, gate, draft, by),
    update: (name, draft, by) => updateAlert(parts, examiner, gate, { name, draft, by }),
    test: (name, by) => test(parts, name, by),
  };
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
