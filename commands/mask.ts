import { actions, button, code, context, fields, text } from '../engine/cards/build.ts';
import { field, splitMany } from '../engine/contracts/form.ts';
import type { PersonalKind } from '../engine/personal/columns.ts';
import type { Services } from '../engine/services.ts';
import { defineCommand } from './define.ts';
import { matching } from './lookups.ts';

const kinds: Readonly<Record<PersonalKind, string>> = {
  email: 'e-mail address',
  phone: 'telephone number',
  name: 'name of a person',
  address: 'postal address',
  birth: 'date of birth',
  ip: 'internet address',
  id: 'number that tells who somebody is',
  other: 'named as personal',
};

export const mask = defineCommand({
  name: 'mask',
  title: 'Personal data',
  summary: 'Shows which columns of a model are masked as personal data, or says which are.',
  example: '/activate mask accounts email, full_name',
  access: 'approver',
  fields: {
    model: field.lookup({ label: 'Model', lookup: 'models', help: 'See /activate models.' }),
    columns: field.optional(
      field.lookups({
        label: 'Columns to mask',
        lookup: 'columns',
        help: 'Or "none", or "recognised" to go by their names. Left out, it only shows what is masked.',
      }),
    ),
  },
  positional: ['model', 'columns'],
  lookups: {
    models: async (typed, _raw, _caller, services) =>
      matching(
        (await services.models.list()).map(({ name }) => name),
        typed,
      ),
    columns: async (typed, raw, _caller, services) => {
      const about = await services.personal.of(raw['model'] ?? '');
      return matching(['recognised', 'none', ...about.model.columns.map(({ name }) => name)], typed);
    },
  },
  run: async ({ model, columns }, caller, services) => {
    if (columns !== undefined) {
      await services.personal.mark(model, marksOf(columns), caller);
    }
    return { kind: 'card', to: 'caller', card: await maskCardOf(model, services) };
  },
});

/** The columns that are meant; null: they are to be recognised. */
function marksOf(columns: readonly string[]): readonly string[] | null {
  const named = columns.flatMap(splitMany);
  if (named.length === 1 && named[0] === 'recognised') {
    return null;
  }
  return named.length === 1 && named[0] === 'none' ? [] : named;
}

async function maskCardOf(name: string, services: Services) {
  const { model, columns, named } = await services.personal.of(name);
  const how = named ? 'as somebody named them' : 'recognised by their names';
  const free = model.columns.filter((column) => !columns.has(column.name)).map((column) => column.name);
  const title = `${columns.size} of ${model.columns.length} columns of ${name} masked`;
  return {
    title,
    blocks: [
      ...(columns.size === 0
        ? [text('No column is masked.')]
        : [fields(Object.fromEntries([...columns].map(([column, kind]) => [column, kinds[kind]])))]),
      context(`The columns are ${how}. Not masked: ${free.join(', ') || 'none'}.`),
      context(
        'Addresses and telephone numbers are masked in any text. To name the columns: ',
        code(
          `/activate mask ${name} ${model.columns
            .slice(0, 2)
            .map((column) => column.name)
            .join(', ')}`,
        ),
      ),
      ...(named ? [actions(button('Recognise them', 'mask', { model: name, columns: 'recognised' }))] : []),
    ],
    fallback: title,
  };
}
