import { context, text } from '../../engine/cards/build.ts';
import type { Block } from '../../engine/contracts/card.ts';
import type { Lookup, Step } from '../../engine/contracts/command.ts';
import type { FieldSpec } from '../../engine/contracts/destination.ts';
import { field, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Column } from '../../engine/contracts/source.ts';
import { parseField, parseMapping, writeExpression, writeMapping } from '../../engine/mapping/expression.ts';
import { filled, suggestMapping } from '../../engine/mapping/suggest.ts';
import { eventsSettings } from '../../engine/model/events.ts';
import { objectModes, objectRemovals, objectsSettings } from '../../engine/model/objects.ts';
import type { Services } from '../../engine/services.ts';
import type { Sync } from '../../engine/store/syncs.ts';
import { at, queryOf, slug } from '../alert-fields.ts';
import { matching } from '../lookups.ts';
import type { SyncKind } from './kind.ts';
import { pairsOf, writePairs } from './pairs.ts';

const fields = {
  as: field.choice({ label: 'Rows become', of: { objects: 'Records', events: 'Events' } }),
  object: field.lookup({
    label: 'Kind of record',
    lookup: 'objects',
    help: 'A table, an object, a collection.',
  }),
  mode: field.choice({ label: 'Mode', of: objectModes }),
  removal: field.choice({ label: 'When a row leaves', of: objectRemovals }),
  archive: field.optional(
    field.text({ label: 'Archive mark', help: 'The field that says so, as: archived_at = @synced_at.' }),
  ),
  match: field.lookups({
    label: 'Found by',
    lookup: 'fieldsThere',
    help: 'The fields that find the record.',
  }),
  fields: field.area({
    label: 'Fields',
    help: 'One per line: field = column, "text", {{ template }} or @synced_at.',
    max: 3000,
  }),
  event: field.text({ label: 'Event', help: 'Its name in quotes, or the column that has it.' }),
  time: field.lookup({ label: 'When it happened', lookup: 'columns', help: 'The column with the time.' }),
  person: field.area({ label: 'Who it is about', help: 'One per line: user_id = column.', max: 1000 }),
  properties: field.optional(
    field.area({ label: 'Properties', help: 'One per line; all other columns when left empty.' }),
  ),
  lookBack: field.optional(
    field.number({
      label: 'Late rows, minutes',
      min: 0,
      max: 100_000,
      whole: true,
      help: 'How late a row may come in. 60 when empty.',
    }),
  ),
  existing: field.choice({
    label: 'Rows there already',
    of: { known: 'Take them as sent', say: 'Send them too' },
  }),
};

const isEvents = (raw: Raw): boolean => raw['as'] === 'events';

async function specsOf(raw: Raw, services: Services): Promise<readonly FieldSpec[]> {
  const objects = await services.destinations.part(raw['destination'] ?? '', 'objects');
  return objects.fields(raw['object'] ?? '');
}

async function columnsOf(raw: Raw, services: Services): Promise<readonly Column[]> {
  return services.models.columns(raw['source'] ?? '', await queryOf(raw, services));
}

const lookups: Readonly<Record<string, Lookup<Services>>> = {
  objects: async (typed, raw, _caller, services) =>
    (await services.destinations.part(raw['destination'] ?? '', 'objects')).objects(typed),
  fieldsThere: async (typed, raw, _caller, services) =>
    matching(
      (await specsOf(raw, services)).map((spec) => spec.name),
      typed,
    ),
};

const become: Step<Services> = {
  title: 'Records or events',
  fields: () => ['as'],
  prepare: async (raw, _caller, services) => {
    const { offers } = await services.destinations.connectorOf(raw['destination'] ?? '');
    return { initial: { as: offers.includes('objects') ? 'objects' : 'events' } };
  },
  check: async (raw, _caller, services) => {
    const { offers, name } = await services.destinations.connectorOf(raw['destination'] ?? '');
    const wanted = isEvents(raw) ? 'events' : 'objects';
    return offers.includes(wanted) ? {} : { as: `${name} takes no ${isEvents(raw) ? 'events' : 'records'}.` };
  },
};

const which: Step<Services> = {
  title: 'Which records',
  fields: (raw) => (isEvents(raw) ? [] : ['object', 'mode']),
  prepare: async () => ({ initial: { mode: 'upsert' } }),
  check: async (raw, _caller, services) => {
    await at('object', () => specsOf(raw, services));
    return {};
  },
};

const leaving: Step<Services> = {
  title: 'When rows leave',
  fields: (raw) => (!isEvents(raw) && raw['mode'] === 'mirror' ? ['removal', 'archive'] : []),
  prepare: async () => ({ initial: { removal: 'delete' } }),
};

const mapping: Step<Services> = {
  title: 'Fields',
  fields: (raw) => (isEvents(raw) ? [] : ['fields', 'match']),
  prepare: async (raw, _caller, services) => {
    const [specs, columns] = await Promise.all([specsOf(raw, services), columnsOf(raw, services)]);
    const suggested =
      specs.length === 0 ? columns.map(({ name }) => filled(name, name)) : suggestMapping(specs, columns);
    const mapped = suggested.map((one) => one.field);
    const key = specs.find((spec) => spec.key && mapped.includes(spec.name))?.name ?? mapped[0];
    return {
      intro: [...fieldBlocks(specs), context(`Columns: ${columns.map((column) => column.name).join(', ')}`)],
      initial: {
        fields: writeMapping(suggested),
        ...(key === undefined ? {} : { match: JSON.stringify([key]) }),
      },
    };
  },
};

/** What the destination takes: the required and the keys first. */
function fieldBlocks(specs: readonly FieldSpec[]): readonly Block[] {
  if (specs.length === 0) {
    return [text('This destination takes any field.')];
  }
  const weight = (spec: FieldSpec): number => (spec.required ? 2 : 0) + (spec.key ? 1 : 0);
  const rows = [...specs]
    .sort((a, b) => weight(b) - weight(a))
    .slice(0, 15)
    .map((spec) => [spec.name, spec.type, spec.required ? 'yes' : '', spec.key ? 'yes' : '']);
  return [
    { type: 'table', columns: ['Field', 'Type', 'Required', 'Finds records'], rows, total: specs.length },
  ];
}

const happening: Step<Services> = {
  title: 'Events',
  fields: (raw) => (isEvents(raw) ? ['event', 'time', 'person', 'properties'] : []),
  prepare: async (raw, _caller, services) => {
    const events = await services.destinations.part(raw['destination'] ?? '', 'events');
    const columns = await columnsOf(raw, services);
    const time = columns.find((column) => column.type === 'time')?.name;
    const people = events.people.map(
      ({ name, label }) => ({ name, label, type: 'any', required: false, key: true }) as const,
    );
    return {
      intro: [
        text(`Who it is about can be said by: ${events.people.map((one) => one.name).join(', ')}.`),
        context(`Columns: ${columns.map((column) => column.name).join(', ')}`),
      ],
      initial: {
        ...(time === undefined ? {} : { time }),
        person: writeMapping(suggestMapping(people, columns)),
      },
    };
  },
};

const beginning: Step<Services> = {
  title: 'Which events',
  fields: (raw) => (isEvents(raw) ? ['existing', 'lookBack'] : []),
  prepare: async () => ({ initial: { existing: 'known' } }),
};

export const records: SyncKind = {
  intro:
    'Each row that the query gives becomes a record there, kept in step with it, or an event, sent once.',
  fields,
  lookups,
  parts: ['objects', 'events'],
  steps: [become, which, leaving, mapping, happening, beginning],
  suggestedName: (raw) =>
    slug(`${raw['object'] ?? raw['event'] ?? 'rows'}-to-${raw['destination'] ?? 'there'}`),
  framework: (raw) => (isEvents(raw) ? 'events' : 'objects'),
  settings: async (raw, columns) =>
    isEvents(raw) ? eventAnswers(raw, columns) : objectAnswers(raw, columns),
  answers,
};

async function objectAnswers(raw: Raw, columns: readonly Column[]): Promise<unknown> {
  const names = columns.map((column) => column.name);
  const archive = (raw['archive'] ?? '').trim();
  const [mark] = archive === '' ? [] : await at('archive', async () => parseMapping(archive, names));
  return {
    object: raw['object'] ?? '',
    mode: raw['mode'],
    match: splitMany(raw['match'] ?? ''),
    fields: await at('fields', async () => parseMapping(raw['fields'] ?? '', names)),
    ...(raw['removal'] === undefined || raw['removal'] === '' ? {} : { removal: raw['removal'] }),
    ...(mark === undefined ? {} : { archive: { field: mark.field, from: mark.from } }),
  };
}

async function eventAnswers(raw: Raw, columns: readonly Column[]): Promise<unknown> {
  const names = columns.map((column) => column.name);
  const person = await at('person', async () => pairsOf(raw['person'] ?? ''));
  const given = (raw['properties'] ?? '').trim();
  const used = [raw['time'], raw['event'], ...Object.values(person)];
  const others = names.filter((name) => !used.includes(name)).map((name) => filled(name, name));
  const event = await at('event', async () => parseField('event', raw['event'] ?? '', names));
  return {
    event: event.from,
    time: raw['time'] ?? '',
    person,
    properties: given === '' ? others : await at('properties', async () => parseMapping(given, names)),
    lookBackMinutes: raw['lookBack'] === undefined || raw['lookBack'] === '' ? 60 : Number(raw['lookBack']),
    silentFirst: raw['existing'] !== 'say',
  };
}

function answers(sync: Sync): Raw {
  if (sync.framework === 'events') {
    const settings = eventsSettings.parse(sync.settings);
    const { event, time, person, properties, lookBackMinutes, silentFirst } = settings;
    return {
      as: 'events',
      event: writeExpression({ from: event, nulls: 'send', onlyIfEmpty: false }),
      time,
      person: writePairs(person),
      properties: writeMapping(properties),
      lookBack: String(lookBackMinutes),
      existing: silentFirst ? 'known' : 'say',
    };
  }
  const { object, mode, match, fields: mapped, removal, archive } = objectsSettings.parse(sync.settings);
  const mark =
    archive === undefined ? undefined : ({ ...archive, nulls: 'send', onlyIfEmpty: false } as const);
  return {
    as: 'objects',
    object,
    mode,
    match: JSON.stringify(match),
    fields: writeMapping(mapped),
    removal,
    ...(mark === undefined ? {} : { archive: writeMapping([mark]) }),
  };
}
