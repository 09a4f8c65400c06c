import { actions, bold, button, code, context, count, moment, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import { masked } from '../engine/personal/mask.ts';
import type { Services, Suppressed } from '../engine/services.ts';
import type { Suppression } from '../engine/store/suppressions.ts';
import { defineCommand } from './define.ts';
import { sources } from './lookups.ts';

const listed = 15;
const words = {
  unsubscribed: 'took themselves off',
  bounced: 'nobody has this address',
  'by hand': 'by hand',
} as const;

export const suppressions = defineCommand({
  name: 'suppressions',
  title: 'Who gets no mail',
  summary: 'Shows which addresses are not written to, and why; adds some, or takes one off.',
  example: '/activate suppressions ann@customer.example',
  access: 'editor',
  fields: {
    address: field.optional(
      field.text({ label: 'Address', help: 'The whole of it, or a part to look for.' }),
    ),
    do: field.optional(
      field.choice({
        label: 'What to do',
        of: { show: 'Show', add: 'Write to them no more', remove: 'Write to it again' },
      }),
    ),
    list: field.optional(field.text({ label: 'List', help: 'One list; all lists when empty.', max: 60 })),
    addresses: field.optional(
      field.area({
        label: 'Addresses to add',
        help: 'One a line, or as CSV with the address in the first column.',
        max: 1_000_000,
      }),
    ),
    source: field.optional(field.lookup({ label: 'Or from a source', lookup: 'sources' })),
    sql: field.optional(
      field.area({
        label: 'Query (SQL)',
        language: 'sql',
        help: 'One SELECT whose first column has the addresses to add; at most 100,000.',
      }),
    ),
    note: field.optional(field.text({ label: 'Note', help: 'Why, for whoever looks later.', max: 300 })),
  },
  positional: ['address'],
  lookups: { sources },
  run: async (given, caller, services) => {
    switch (given.do) {
      case 'add': {
        const added = await add(given, services);
        return { kind: 'card', to: 'caller', card: addedCard(added, given.list, caller) };
      }
      case 'remove': {
        const removed = await services.mail.unsuppress(given.address ?? '', given.list);
        return { kind: 'card', to: 'caller', card: removedCard(removed, caller) };
      }
      case 'show':
      case undefined: {
        const query = { typed: given.address ?? '', list: given.list };
        const found = await services.mail.suppressions(query, listed);
        const open = services.personal.mayBeShown(caller);
        return {
          kind: 'card',
          to: 'caller',
          card: foundCard(found, open, caller),
          data: {
            total: found.total,
            suppressions: found.rows.map((one) => ({ ...one, address: shown(one.address, open) })),
          },
        };
      }
      default:
        return given.do satisfies never;
    }
  },
});

function shown(address: string, open: boolean): string {
  return open ? address : masked(address);
}

interface Given {
  readonly address?: string | undefined;
  readonly addresses?: string | undefined;
  readonly list?: string | undefined;
  readonly source?: string | undefined;
  readonly sql?: string | undefined;
  readonly note?: string | undefined;
}

async function add(given: Given, services: Services): Promise<Suppressed> {
  const { address, addresses, list = '', source, sql, note } = given;
  if (sql !== undefined) {
    if (source === undefined) {
      const sentence = 'Choose the source that the query is for.';
      throw new ActivateError('INPUT_INVALID', sentence, { fields: { source: sentence } });
    }
    return services.mail.suppressFound(source, sql, list, note);
  }
  const written = [...(address === undefined ? [] : [address]), ...linesOf(addresses ?? '')];
  if (written.length === 0) {
    const sentence = 'Give an address, several, or a query.';
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { address: sentence } });
  }
  return services.mail.suppress(written, list, note);
}

/** What stands first in each line; the head of a CSV is none. */
function linesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => (/^\s*"?([^",;\t]*)/.exec(line)?.[1] ?? '').trim())
    .filter((first, at) => first !== '' && (at > 0 || first.includes('@')));
}

function onList(list: string): string {
  return list === '' ? 'on all lists' : `on the list ${list}`;
}

function addedCard({ added, known, unusable }: Suppressed, list: string | undefined, caller: Caller) {
  const said = `${caller.name} had ${count(added, 'address', 'addresses')} added, ${onList(list ?? '')}.`;
  return {
    title: `${count(added, 'address', 'addresses')} not written to any more`,
    tone: unusable === 0 ? 'good' : 'warning',
    blocks: [
      text(said),
      ...(known > 0 ? [context(`${count(known, 'was', 'were')} there already.`)] : []),
      ...(unusable > 0
        ? [text(`⚠️ ${count(unusable, 'line holds', 'lines hold')} no e-mail address and changed nothing.`)]
        : []),
      actions(button('Show all', 'suppressions')),
    ],
    fallback: said,
  } as const;
}

function removedCard(removed: readonly Suppression[], caller: Caller) {
  const left = removed.some(({ reason }) => reason === 'unsubscribed');
  const said =
    removed.length === 0
      ? 'This address is on no such list.'
      : `${caller.name} had the address taken off: it is written to again, ${removed.map(({ list }) => onList(list)).join(', ')}.`;
  return {
    title: removed.length === 0 ? 'Nothing to take off' : 'Written to again',
    tone: left ? 'warning' : 'neutral',
    blocks: [
      text(said),
      ...(left
        ? [text('⚠️ The person had taken themselves off. Have it in writing that they want mail again.')]
        : []),
      actions(button('Show all', 'suppressions')),
    ],
    fallback: said,
  } as const;
}

function foundCard(
  { rows, total }: { readonly rows: readonly Suppression[]; readonly total: number },
  open: boolean,
  caller: Caller,
) {
  const title = total === 0 ? 'No such address' : `${count(total, 'address', 'addresses')} not written to`;
  return {
    title,
    blocks: [
      ...(total === 0 ? [text('Whoever a row names is written to.')] : []),
      ...rows.map(
        ({ address, list, reason, note, since }): Block =>
          text(
            bold(shown(address, open)),
            ` · ${words[reason]} · ${onList(list)} · ${moment(since, caller.timeZone)}`,
            ...(note === null ? [] : [` · ${note}`]),
          ),
      ),
      ...(total > rows.length ? [context(`${rows.length} of ${total.toLocaleString('en')}`)] : []),
      context('To add one: ', code('/activate suppressions ann@customer.example do=add')),
    ],
    fallback: title,
  };
}
