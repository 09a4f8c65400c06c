import { actions, bold, button, code, context, count, moment, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { field } from '../engine/contracts/form.ts';
import { masked } from '../engine/personal/mask.ts';
import type { Suppressed } from '../engine/services.ts';
import type { Suppression } from '../engine/store/suppressions.ts';
import { defineCommand } from './define.ts';

const listed = 15;
const words = {
  unsubscribed: 'took themselves off',
  bounced: 'nobody has this address',
  'by hand': 'by hand',
} as const;

export const suppressions = defineCommand({
  name: 'suppressions',
  title: 'Who gets no mail',
  summary: 'Shows which addresses are not written to, and why; adds one, or takes it off.',
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
    note: field.optional(field.text({ label: 'Note', help: 'Why, for whoever looks later.', max: 300 })),
  },
  positional: ['address'],
  run: async (given, caller, services) => {
    switch (given.do) {
      case 'add': {
        const { address = '', list = '', note } = given;
        const added = await services.mail.suppress([address], list, note);
        return { kind: 'card', to: 'caller', card: suppressedCard(added, list, caller) };
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
          card: foundCard(found, query.typed, open, caller),
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

function onList(list: string): string {
  return list === '' ? 'on all lists' : `on the list ${list}`;
}

/** What became of addresses that are not to be written to. */
export function suppressedCard({ added, known, unusable }: Suppressed, list: string, caller: Caller) {
  const said = `${caller.name} had ${count(added, 'address', 'addresses')} added, ${onList(list)}.`;
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
  typed: string,
  open: boolean,
  caller: Caller,
) {
  const [none, meaning] =
    typed === ''
      ? ['Nobody is left out', 'Whoever a row names is written to.']
      : ['No such address', 'None with this in it is left out: it is written to.'];
  const title = total === 0 ? none : `${count(total, 'address', 'addresses')} not written to`;
  return {
    title,
    blocks: [
      ...(total === 0 ? [text(meaning)] : []),
      ...rows.map(
        ({ address, list, reason, note, since }): Block =>
          text(
            bold(shown(address, open)),
            ` · ${words[reason]} · ${onList(list)} · ${moment(since, caller.timeZone)}`,
            ...(note === null ? [] : [` · ${note}`]),
          ),
      ),
      ...(total > rows.length ? [context(`${rows.length} of ${total.toLocaleString('en')}`)] : []),
      context(
        'To add one: ',
        code('/activate suppressions ann@customer.example do=add'),
        '. Many at once: ',
        code('/activate suppress'),
      ),
    ],
    fallback: title,
  };
}
