import { actions, bold, button, code, context, count, fields, moment, text } from '../engine/cards/build.ts';
import type { Block, Card } from '../engine/contracts/card.ts';
import { field } from '../engine/contracts/form.ts';
import type { PersonalColumns } from '../engine/personal/columns.ts';
import { masked, maskKey, maskRow, maskText } from '../engine/personal/mask.ts';
import type { Why, WhyStep } from '../engine/services.ts';
import type { MailRecord } from '../engine/store/mails.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';
import { hiddenFrom } from './personal.ts';

export const why = defineCommand({
  name: 'why',
  title: 'Why',
  summary: 'Tells what became of one row: when it came, what was sent, and what was answered.',
  example: '/activate why contacts-to-crm 42',
  access: 'viewer',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'syncs' }),
    key: field.text({ label: 'Key', help: 'Of the row; several columns as: eu / 42.', max: 500 }),
  },
  positional: ['name', 'key'],
  lookups: { syncs },
  run: async ({ name, key }, caller, services) => {
    const about = await services.syncs.why(name, key);
    const { model } = await services.syncs.show(name);
    const hidden = hiddenFrom(caller, model, services);
    const shown = hidden === undefined ? about : maskWhy(about, model.key, hidden);
    return { kind: 'card', to: 'caller', card: whyCard(shown) };
  },
});

function maskWhy(about: Why, keyColumns: readonly string[], personal: PersonalColumns): Why {
  const { key, row, rejection } = about;
  const rows = row === undefined ? [] : [row];
  return {
    ...about,
    key: maskKey(key, keyColumns, personal),
    row: row === undefined ? undefined : maskRow(row, personal),
    rejection:
      rejection === undefined
        ? undefined
        : { ...rejection, reason: maskText(rejection.reason, rows, personal) },
    mails: about.mails.map((one) => ({
      ...one,
      address: one.address === null ? null : masked(one.address),
      reason: one.reason === null ? null : maskText(one.reason, rows, personal),
    })),
  };
}

const stepsShown = 15;

function whyCard(about: Why): Card {
  const { sync, key, row, steps } = about;
  const known =
    row !== undefined || steps.length > 0 || about.rejection !== undefined || about.mails.length > 0;
  const state = row === undefined ? 'It is not among what was sent.' : 'It was sent as:';
  return {
    title: `${key} in ${sync.name}`,
    blocks: [
      ...(known ? [text(bold(state))] : [text(`${sync.name} has never sent a row with this key.`)]),
      ...(row === undefined ? [] : [rowBlock(row)]),
      ...rejectionBlocks(about),
      ...taskBlocks(about),
      ...(steps.length === 0 ? [] : [{ type: 'divider' } as const]),
      ...steps.slice(0, stepsShown).map((step) => stepBlock(step, about)),
      ...(steps.length > stepsShown ? [context(`${stepsShown} of ${steps.length}`)] : []),
      ...about.messages
        .slice(0, 5)
        .map((one) => text(`${moment(one.createdAt, sync.timeZone)}: said (${one.kind}), ${one.state}`)),
      ...about.mails.slice(0, 5).map((one) => mailBlock(one, sync.timeZone)),
      actions(button('Show', 'show', { name: sync.name }), button('Errors', 'errors', { name: sync.name })),
    ],
    fallback: known ? `${key}: ${count(steps.length, 'change')}` : 'Nothing is known of this key.',
  };
}

function rowBlock(row: Readonly<Record<string, string | null>>): Block {
  return fields(
    Object.fromEntries(
      Object.entries(row)
        .slice(0, 20)
        .map(([name, value]) => [name, value ?? '∅']),
    ),
  );
}

function rejectionBlocks({ rejection, sync }: Why): readonly Block[] {
  if (rejection === undefined) {
    return [];
  }
  const words = {
    open: '🔴 Refused',
    skip: '⏭ To be skipped',
    skipped: '⏭ Skipped',
    healed: '🟢 Was refused once',
  };
  const since = moment(rejection.since, sync.timeZone);
  const { firstRunId: first, lastRunId: latest } = rejection;
  const runs = first === latest ? `run ${first}` : `runs ${first} to ${latest}`;
  return [
    text(
      `${words[rejection.state]}: ${rejection.reason} Since ${since}, ${count(rejection.attempts, 'try', 'tries')}, ${runs}.`,
    ),
  ];
}

const mailWords = {
  open: 'to be sent',
  sending: 'is being sent',
  ok: 'taken over by the mail server',
  rejected: 'refused',
  retry: 'put off',
  unknown: 'in doubt: nobody can say whether it arrived',
  suppressed: 'not sent',
} as const;

function mailBlock({ address, state, reason, changedAt }: MailRecord, timeZone: string): Block {
  const to = address === null ? '' : ` to ${address}`;
  const why = reason === null || state === 'unknown' ? '' : ` (${reason})`;
  return text(`${moment(changedAt, timeZone)}: mail${to}, ${mailWords[state]}${why}`);
}

function taskBlocks({ task }: Why): readonly Block[] {
  if (task === undefined) {
    return [];
  }
  const named = task.externalId ?? 'its task';
  return [
    text(
      'Task ',
      task.url === null ? code(named) : { type: 'link', text: [named], url: task.url },
      `: ${task.state}`,
    ),
  ];
}

function stepBlock(step: WhyStep, { rejection, sync }: Why): Block {
  const refused =
    rejection !== undefined && step.runId >= rejection.firstRunId && step.runId <= rejection.lastRunId;
  const what =
    step.kind === 'changed' && step.changed.length > 0 ? `changed (${step.changed.join(', ')})` : step.kind;
  const asked = step.person === null ? step.cause : `${step.cause}, asked by ${step.person}`;
  const by = step.approvedBy === null ? asked : `${asked}, approved by ${step.approvedBy}`;
  const outcome = refused ? 'refused' : step.delivered ? 'taken' : 'not delivered';
  return text(`${moment(step.at, sync.timeZone)}: `, bold(what), `, ${outcome}. Run ${step.runId} (${by}).`);
}
