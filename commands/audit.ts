import { auditCard, verdictCard } from '../engine/cards/audit.ts';
import { context, count, text } from '../engine/cards/build.ts';
import type { Reply } from '../engine/contracts/chat.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import type { Services } from '../engine/services.ts';
import { auditLine } from '../engine/store/audit.ts';
import { defineCommand } from './define.ts';

const shown = 10;
const mostInFile = 50_000;

export const audit = defineCommand({
  name: 'audit',
  title: 'Audit log',
  summary: 'Shows who did, decided and changed what; exports it; checks that nobody tampered with it.',
  example: '/activate audit contacts-to-crm',
  access: 'approver',
  fields: {
    name: field.optional(
      field.lookup({
        label: 'About',
        lookup: 'subjects',
        help: 'A sync, an alert, a connection or a person; "verify" checks the log. All, as a file, when left out.',
      }),
    ),
    as: field.optional(
      field.choice({ label: 'As', of: { card: 'A card', ndjson: 'A file, a line of JSON per entry' } }),
    ),
    before: field.optional(
      field.number({
        label: 'Before entry',
        help: 'Only older entries than this number.',
        min: 1,
        whole: true,
      }),
    ),
    expect: field.optional(
      field.text({
        label: 'Head noted down',
        help: 'With verify: a head of the log that was kept elsewhere.',
      }),
    ),
  },
  positional: ['name'],
  lookups: {
    subjects: async (typed, _raw, _caller, services) =>
      (await services.audit.subjects(typed)).map((name) => ({ value: name, label: name })),
  },
  run: async ({ name, as, before, expect }, caller, services) => {
    if (name === 'verify' && as === undefined) {
      const verdict = await services.audit.verify(expect);
      const data = { ...verdict, holds: verdict.broken === undefined };
      return { kind: 'card', to: 'caller', card: verdictCard(verdict), data };
    }
    if (name === undefined || as === 'ndjson') {
      return exported(name, before, caller, services);
    }
    const found = await services.audit.entries(name, shown, before);
    const reader = { timeZone: caller.timeZone, mayExport: caller.role === 'admin' };
    return {
      kind: 'card',
      to: 'caller',
      card: auditCard(name, found, reader),
      data: { name, total: found.total, entries: found.rows },
    };
  },
});

async function exported(
  name: string | undefined,
  before: number | undefined,
  caller: Caller,
  services: Services,
): Promise<Reply> {
  if (caller.role !== 'admin') {
    throw new ActivateError(
      'NOT_ALLOWED',
      `The audit log as a file needs the role admin; yours is ${caller.role}.`,
      {
        fix: 'Name what it is to be about, to see its newest entries: /activate audit contacts-to-crm.',
      },
    );
  }
  const { rows, total } = await services.audit.entries(name, mostInFile, before);
  const cut =
    rows.length < total
      ? `The newest ${rows.length.toLocaleString('en')} of ${count(total, 'entry', 'entries')}. Older ones: audit ${name === undefined ? '' : `name=${name} `}as=ndjson before=${rows.at(-1)?.id ?? 1}`
      : undefined;
  // What is cut is said in the file, too, where nobody can miss it.
  const lines = [...rows.map(auditLine), ...(cut === undefined ? [] : [JSON.stringify({ cut })])];
  if (caller.platform === 'cli') {
    return { kind: 'done', note: lines.join('\n') };
  }
  const file = `audit${name === undefined ? '' : `-${name.replaceAll(/[^\w.-]+/g, '-')}`}.ndjson`;
  const card = {
    title: name === undefined ? 'The audit log' : `The audit log of ${name}`,
    blocks: [
      text(count(rows.length, 'entry', 'entries'), ', newest first, a line of JSON each.'),
      ...(cut === undefined ? [] : [context(cut)]),
    ],
    fallback: file,
  };
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return { kind: 'card', to: 'caller', card, files: [{ name: file, type: 'application/x-ndjson', bytes }] };
}
