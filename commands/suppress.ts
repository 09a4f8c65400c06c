import { ActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { sources } from './lookups.ts';
import { suppressedCard } from './suppressions.ts';

export const suppress = defineCommand({
  name: 'suppress',
  title: 'Write to them no more',
  summary: 'Adds many addresses that are not to be written to: as a list, as CSV, or as what a query gives.',
  example: '/activate suppress source=warehouse sql="select email from opted_out"',
  access: 'editor',
  fields: {
    addresses: field.optional(
      field.area({
        label: 'Addresses',
        help: 'One a line, or as CSV with the address in the first column.',
        max: 1_000_000,
      }),
    ),
    source: field.optional(field.lookup({ label: 'Or from a source', lookup: 'sources' })),
    sql: field.optional(
      field.area({
        label: 'Query (SQL)',
        language: 'sql',
        help: 'One SELECT whose first column has the addresses; at most 100,000.',
      }),
    ),
    list: field.optional(field.text({ label: 'List', help: 'One list; all lists when empty.', max: 60 })),
    note: field.optional(field.text({ label: 'Note', help: 'Why, for whoever looks later.', max: 300 })),
  },
  showsForm: true,
  submit: 'Write to them no more',
  lookups: { sources },
  run: async ({ addresses = '', source, sql, list = '', note }, caller, services) => {
    if (sql !== undefined && source === undefined) {
      throw missing('source', 'Choose the source that the query is for.');
    }
    const written = linesOf(addresses);
    if (sql === undefined && written.length === 0) {
      throw missing('addresses', 'Give addresses, or a query.');
    }
    const added =
      sql !== undefined && source !== undefined
        ? await services.mail.suppressFound(source, sql, list, note)
        : await services.mail.suppress(written, list, note);
    return { kind: 'card', to: 'caller', card: suppressedCard(added, list, caller) };
  },
});

function missing(name: string, sentence: string): ActivateError {
  return new ActivateError('INPUT_INVALID', sentence, { fields: { [name]: sentence } });
}

/** What stands first in each line; the head of a CSV is none. */
function linesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => (/^\s*"?([^",;\t]*)/.exec(line)?.[1] ?? '').trim())
    .filter((first, at) => first !== '' && (at > 0 || first.includes('@')));
}
