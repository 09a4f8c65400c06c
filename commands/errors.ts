import { actions, bold, button, code, context, count, moment, text } from '../engine/cards/build.ts';
import { editCommands } from '../engine/cards/failure.ts';
import { masked } from '../engine/cards/mask.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Attachment } from '../engine/contracts/chat.ts';
import { field } from '../engine/contracts/form.ts';
import type { SyncDetail } from '../engine/services.ts';
import type { Rejection } from '../engine/store/rejections.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';

const mostInFile = 10_000;
const yesNo = { true: 'Yes', false: 'No' } as const;

export const errors = defineCommand({
  name: 'errors',
  title: 'Refused rows',
  summary: 'Shows which rows a destination refuses and why, with what to do about it.',
  example: '/activate errors contacts-to-crm',
  access: 'editor',
  fields: {
    name: field.lookup({ label: 'Name', lookup: 'syncs' }),
    csv: field.optional(field.choice({ label: 'As a file', of: yesNo })),
  },
  positional: ['name'],
  lookups: { syncs },
  run: async ({ name, csv }, _caller, services) => {
    const detail = await services.syncs.show(name);
    const reasons = await services.syncs.reasons(name);
    const total = reasons.reduce((sum, one) => sum + one.count, 0);
    const card = {
      title: total === 0 ? `No row of ${name} is refused` : `${count(total, 'row')} of ${name} refused`,
      tone: total === 0 ? 'good' : 'warning',
      blocks:
        total === 0
          ? [text('Every row was taken, or skipped.'), actions(button('Show', 'show', { name }))]
          : [...reasons.flatMap((one) => reasonOf(detail, one)), ...whatNow(detail)],
      fallback: total === 0 ? 'No row is refused.' : `${count(total, 'row')} refused`,
    } as const;
    const rows = csv === 'true' ? await services.syncs.rejections(name, undefined, mostInFile) : [];
    const files = rows.length === 0 ? {} : { files: [asFile(name, rows)] };
    return { kind: 'card', to: 'caller', card, ...files, data: { name, total, reasons } };
  },
});

interface Reason {
  readonly reason: string;
  readonly count: number;
  readonly example: string;
  readonly since: Date;
}

function reasonOf({ sync }: SyncDetail, { reason, count: times, example, since }: Reason): readonly Block[] {
  const { name } = sync;
  return [
    text(bold(count(times, 'row')), `: ${reason}`),
    context('For example row ', code(masked(example)), ` · since ${moment(since, sync.timeZone)}`),
    actions(
      button('Why this row', 'why', { name, key: example }),
      button(
        times === 1 ? 'Skip it' : 'Skip these',
        'skip',
        { name, reason },
        { confirm: 'Leave these rows out, as long as they stay as they are?' },
      ),
    ),
  ];
}

function whatNow({ sync }: SyncDetail): readonly Block[] {
  const { name, framework } = sync;
  return [
    { type: 'divider' },
    context('Refused rows are tried again at every run, and leave this list once they are taken.'),
    actions(
      button('Retry', 'retry', { name }, { style: 'primary' }),
      button('Fix the mapping', editCommands[framework], { sync: name }),
      button('As CSV', 'errors', { name, csv: 'true' }),
    ),
  ];
}

function asFile(name: string, rows: readonly Rejection[]): Attachment {
  const cell = (value: unknown): string => `"${String(value ?? '').replaceAll('"', '""')}"`;
  const lines = rows.map(({ key, reason, field: at, operation, attempts, since, lastAt }) =>
    [key, reason, at, operation, attempts, since.toISOString(), lastAt.toISOString()].map(cell).join(','),
  );
  const head = 'key,reason,field,operation,attempts,since,last_tried';
  return {
    name: `${name}-errors.csv`,
    type: 'text/csv',
    bytes: Buffer.from(`${[head, ...lines].join('\r\n')}\r\n`),
  };
}
