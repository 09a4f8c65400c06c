import type { Block, Card, Inline } from '../contracts/card.ts';
import { differences } from '../document/compare.ts';
import { masked } from '../personal/mask.ts';
import type { AuditRow, AuditVerdict } from '../store/audit.ts';
import { actions, bold, button, code, context, count, moment, shorten, text } from './build.ts';

const differencesShown = 8;

/** What was done to or by one thing or person, newest first. Only who may have the file is offered it. */
export function auditCard(
  about: string,
  found: { readonly rows: readonly AuditRow[]; readonly total: number },
  reader: { readonly timeZone: string; readonly mayExport: boolean },
): Card {
  const { rows, total } = found;
  const title = total === 0 ? `Nothing about ${about}` : `${count(total, 'entry', 'entries')} about ${about}`;
  const cut =
    rows.length < total ? [context(`The newest ${rows.length} of ${total.toLocaleString('en')}`)] : [];
  const file =
    reader.mayExport && total > 0 ? button('As a file', 'audit', { name: about, as: 'ndjson' }) : undefined;
  return {
    title,
    blocks: [
      ...(total === 0 ? [text('The audit log has no entry with this name, e-mail address or person.')] : []),
      ...rows.flatMap((row) => entryBlocks(row, reader.timeZone)),
      ...cut,
      actions(file, button('Check the chain', 'audit', { name: 'verify' })),
    ],
    fallback: title,
  };
}

function entryBlocks(row: AuditRow, timeZone: string): readonly Block[] {
  const { at, person, command, subject, outcome, input } = row;
  const when = moment(at, timeZone, { seconds: true });
  const what: Inline[] = [bold(command), ...(subject === null ? [] : [' ', subject])];
  // What is new, or gone, is named already: all of it would be a wall of settings.
  const changes = differences(row.before ?? undefined, row.after ?? undefined).filter(
    ({ path, before, after }) => path !== '' || typeof (after ?? before) !== 'object',
  );
  const more = changes.length - differencesShown;
  const given = Object.entries(input).filter(([, value]) => value !== subject);
  return [
    text(`${signOf(row)} ${when} · `, bold(person), ' · ', ...what, ` · ${outcome}`),
    ...(given.length === 0
      ? []
      : [context(given.map(([name, value]) => `${name}=${said(value)}`).join(' '))]),
    ...changes
      .slice(0, differencesShown)
      .map(({ path, before, after }) =>
        context(...(path === '' ? [] : [code(path), ' ']), `${said(before)} → ${said(after)}`),
      ),
    ...(more > 0 ? [context(`and ${count(more, 'more change')}`)] : []),
  ];
}

function signOf({ kind, outcome }: AuditRow): string {
  if (kind === 'refusal') {
    return '⛔';
  }
  if (outcome !== 'ok' && outcome !== 'made' && kind !== 'decision') {
    return '🔴';
  }
  const signs = { command: '▫️', decision: '⚖️', change: '✏️', run: '▶️' } as const;
  return signs[kind];
}

function said(value: unknown): string {
  if (value === undefined || value === null) {
    return 'nothing';
  }
  const written = typeof value === 'string' ? value : JSON.stringify(value);
  return masked(shorten(written.replaceAll(/\s+/g, ' '), 100));
}

/** Whether the log is as it was written. */
export function verdictCard({ count: entries, head, broken }: AuditVerdict): Card {
  const at = broken?.id === undefined ? '' : `Entry ${broken.id}: `;
  const title = broken === undefined ? 'The audit log holds' : 'The audit log was tampered with';
  const found = `${count(entries, 'entry', 'entries')} ${broken === undefined ? 'checked.' : 'before that as written.'}`;
  return {
    title,
    tone: broken === undefined ? 'good' : 'bad',
    blocks: [
      ...(broken === undefined ? [] : [text(`${at}${broken.what}.`)]),
      text(found),
      context('Head ', code(head)),
      context('Keep the head elsewhere: with it, a later check finds whether the end was cut off.'),
    ],
    fallback: `${title}. ${found}`,
  };
}
