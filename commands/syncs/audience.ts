import { context, text } from '../../engine/cards/build.ts';
import type { Lookup, Step } from '../../engine/contracts/command.ts';
import { field } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { parseMapping, writeMapping } from '../../engine/mapping/expression.ts';
import { suggestMapping } from '../../engine/mapping/suggest.ts';
import { audiencesSettings } from '../../engine/model/audiences.ts';
import type { Services } from '../../engine/services.ts';
import { at, queryOf, slug } from '../alert-fields.ts';
import type { SyncKind } from './kind.ts';
import { numberOr } from './numbers.ts';
import { pairsOf, writePairs } from './pairs.ts';

const fields = {
  list: field.optional(field.lookup({ label: 'List', lookup: 'lists', help: 'The audience, list or tag.' })),
  newList: field.optional(
    field.text({ label: 'Or a new list', help: 'Its name: it is made when you go on.', max: 100 }),
  ),
  identifiers: field.area({
    label: 'Known by',
    help: 'What people are recognised by, one per line: EMAIL = column.',
    max: 1000,
  }),
  traits: field.optional(
    field.area({ label: 'Facts', help: 'Fields of a person, one per line: field = column.' }),
  ),
  country: field.optional(
    field.text({
      label: 'Country of numbers',
      help: 'Two letters, for telephone numbers that name none: US.',
      max: 2,
    }),
  ),
  holdout: field.optional(
    field.number({
      label: 'Hold out, %',
      min: 0,
      max: 90,
      help: 'This share of people, always the same, stays off the list.',
    }),
  ),
  atLeast: field.optional(
    field.number({
      label: 'At least, people',
      min: 0,
      whole: true,
      help: 'Stop and ask when the query gives fewer.',
    }),
  ),
  atMost: field.optional(
    field.number({ label: 'At most, people', min: 1, whole: true, help: 'Stop and ask when it gives more.' }),
  ),
};

const audiencesIn = (raw: Raw, services: Services) =>
  services.destinations.part(raw['destination'] ?? '', 'audiences');

const lookups: Readonly<Record<string, Lookup<Services>>> = {
  lists: async (typed, raw, _caller, services) => (await audiencesIn(raw, services)).lists(typed),
};

const list: Step<Services> = {
  title: 'Which list',
  fields: () => ['list', 'newList'],
  check: async (raw, _caller, services) => {
    const chosen = (raw['list'] ?? '') !== '';
    const named = (raw['newList'] ?? '').trim() !== '';
    if (chosen === named) {
      return {
        list: chosen ? 'Choose a list, or name a new one: not both.' : 'Choose a list, or name a new one.',
      };
    }
    if (named) {
      const audiences = await audiencesIn(raw, services);
      await at('newList', () => audiences.create((raw['newList'] ?? '').trim()));
    }
    return {};
  },
};

const people: Step<Services> = {
  title: 'Who is on it',
  fields: () => ['identifiers', 'traits', 'country'],
  prepare: async (raw, _caller, services) => {
    const { identifiers } = await audiencesIn(raw, services);
    const columns = await services.models.columns(raw['source'] ?? '', await queryOf(raw, services));
    const specs = identifiers.map(
      ({ name, label }) => ({ name, label, type: 'any', required: false, key: true }) as const,
    );
    return {
      intro: [
        text(
          'What you map here is brought into the form that the destination asks for, and hashed where it asks for that.',
        ),
        context(
          `It knows people by: ${identifiers.map(({ name, label }) => `${name} (${label})`).join(', ')}`,
        ),
        context(`Columns: ${columns.map((column) => column.name).join(', ')}`),
      ],
      initial: { identifiers: writeMapping(suggestMapping(specs, columns)) },
    };
  },
};

const guards: Step<Services> = {
  title: 'Guards',
  fields: () => ['holdout', 'atLeast', 'atMost'],
  prepare: async () => ({
    intro: [text('A run that would leave fewer people on the list, or more, stops and asks here first.')],
  }),
};

export const audience: SyncKind = {
  intro: 'Whoever the query gives is put on a list, and taken off it when the query gives them no more.',
  fields,
  lookups,
  parts: ['audiences'],
  steps: [list, people, guards],
  suggestedName: (raw) => slug(`${raw['newList'] ?? 'people'}-in-${raw['destination'] ?? 'there'}`),
  framework: () => 'audiences',
  settings: async (raw, columns, services) => {
    const names = columns.map((column) => column.name);
    const country = (raw['country'] ?? '').trim().toUpperCase();
    return {
      ...(await listOf(raw, services)),
      identifiers: await at('identifiers', async () => pairsOf(raw['identifiers'] ?? '')),
      traits: await at('traits', async () => parseMapping(raw['traits'] ?? '', names)),
      ...(country === '' ? {} : { country }),
      holdoutPercent: numberOr(raw['holdout'], 0),
      atLeast: numberOr(raw['atLeast'], 0),
      ...((raw['atMost'] ?? '') === '' ? {} : { atMost: Number(raw['atMost']) }),
    };
  },
  answers: (sync) => {
    const settings = audiencesSettings.parse(sync.settings);
    return {
      list: settings.list,
      identifiers: writePairs(settings.identifiers),
      traits: writeMapping(settings.traits),
      country: settings.country ?? '',
      holdout: String(settings.holdoutPercent),
      atLeast: String(settings.atLeast),
      atMost: settings.atMost === undefined ? '' : String(settings.atMost),
    };
  },
};

/** The list's id and name. A new one was made when its step was passed: asking for it again gives the same. */
async function listOf(raw: Raw, services: Services): Promise<{ list: string; listName: string }> {
  const audiences = await audiencesIn(raw, services);
  const named = (raw['newList'] ?? '').trim();
  if (named !== '') {
    return { list: await audiences.create(named), listName: named };
  }
  const id = raw['list'] ?? '';
  const known = (await audiences.lists('')).find((option) => option.value === id || option.label === id);
  return { list: known?.value ?? id, listName: known?.label ?? id };
}
