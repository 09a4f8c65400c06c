import { actions, bold, button, code, context, count, moment, text } from '../engine/cards/build.ts';
import { editCommands } from '../engine/cards/failure.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Attachment } from '../engine/contracts/chat.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { field } from '../engine/contracts/form.ts';
import { masked, maskKey } from '../engine/personal/mask.ts';
import type { Services, SyncDetail } from '../engine/services.ts';
import type { Rejection } from '../engine/store/rejections.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';
import { hiddenFrom } from './personal.ts';

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
  run: async ({ name, csv }, caller, services) => {
    const detail = await services.syncs.show(name);
    const reasons = await services.syncs.reasons(name);
    const mask = maskFor(detail, caller, services);
    const total = reasons.reduce((sum, one) => sum + one.count, 0);
    const card = {
      title: total === 0 ? `No row of ${name} is refused` : `${count(total, 'row')} of ${name} refused`,
      tone: total === 0 ? 'good' : 'warning',
      blocks:
        total === 0
          ? [text('Every row was taken, or skipped.'), actions(button('Show', 'show', { name }))]
          : [...reasons.flatMap((one) => reasonOf(detail, one, mask)), ...whatNow(detail)],
      fallback: total === 0 ? 'No row is refused.' : `${count(total, 'row')} refused`,
    } as const;
    const rows = csv === 'true' ? await services.syncs.rejections(name, undefined, mostInFile) : [];
    const files = rows.length === 0 ? {} : { files: [asFile(name, rows, mask)] };
    return {
      kind: 'card',
      to: 'caller',
      card,
      ...files,
      data: {
        name,
        total,
        reasons: reasons.map((one) => ({
          ...one,
          reason: mask.text(one.reason),
          example: mask.key(one.example),
        })),
      },
    };
  },
});

interface Reason {
  readonly reason: string;
  readonly count: number;
  readonly example: string;
  readonly since: Date;
}

/** What of refused rows is shown to somebody. */
interface Mask {
  key(key: string): string;
  text(text: string): string;
}

function maskFor({ model }: SyncDetail, caller: Caller, services: Services): Mask {
  const hidden = hiddenFrom(caller, model, services);
  return hidden === undefined
    ? { key: (key) => key, text: (text) => text }
    : { key: (key) => maskKey(key, model.key, hidden), text: masked };
}

function reasonOf(
  { sync }: SyncDetail,
  { reason, count: times, example, since }: Reason,
  mask: Mask,
): readonly Block[] {
  const { name } = sync;
  return [
    text(bold(count(times, 'row')), `: ${mask.text(reason)}`),
    context('For example row ', code(mask.key(example)), ` · since ${moment(since, sync.timeZone)}`),
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

function asFile(name: string, rows: readonly Rejection[], mask: Mask): Attachment {
  const cell = (value: unknown): string => `"${String(value ?? '').replaceAll('"', '""')}"`;
  const lines = rows.map(({ key, reason, field: at, operation, attempts, since, lastAt }) =>
    [mask.key(key), mask.text(reason), at, operation, attempts, since.toISOString(), lastAt.toISOString()]
      .map(cell)
      .join(','),
  );
  const head = 'key,reason,field,operation,attempts,since,last_tried';
  return {
    name: `${name}-errors.csv`,
    type: 'text/csv',
    bytes: Buffer.from(`${[head, ...lines].join('\r\n')}\r\n`),
  };
}
