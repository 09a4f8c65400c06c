import { bold, code, context, moment, text } from '../engine/cards/build.ts';
import { tableBlock } from '../engine/cards/show.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Lookup, Step } from '../engine/contracts/command.ts';
import { splitMany } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import type { Column } from '../engine/contracts/source.ts';
import type { AlertSettings } from '../engine/model/alert.ts';
import { maskCard } from '../engine/personal/card.ts';
import { maskText, type Row } from '../engine/personal/mask.ts';
import { describeSchedule, nextRuns } from '../engine/schedule/cron.ts';
import type { Finding, Services } from '../engine/services.ts';
import {
  at,
  draftOf,
  hole,
  queryOf,
  slug,
  suggestedName,
  suggestedText,
  tagsOf,
  targetsOf,
  thresholdOf,
} from './alert-fields.ts';
import { dbtBlocks, keyToBegin, mustHaveSchedule, scheduleToBegin } from './dbt-forms.ts';
import { alerts, matching, sources } from './lookups.ts';
import { shownFinding } from './personal.ts';

const columns: Lookup<Services> = async (typed, raw, _caller, services) =>
  matching(await columnNames(raw, services), typed);

async function columnsOf(raw: Raw, services: Services): Promise<readonly Column[]> {
  return services.models.columns(raw['source'] ?? '', await queryOf(raw, services));
}

async function columnNames(raw: Raw, services: Services): Promise<readonly string[]> {
  return (await columnsOf(raw, services)).map((column) => column.name);
}

/** What the fields of a query offer while a person types. */
export const queryLookups: Readonly<Record<string, Lookup<Services>>> = {
  sources,
  columns,
  tables: async (typed, raw, _caller, services) => {
    const source = raw['source'] ?? '';
    const [models, tables] = await Promise.all([
      services.dbt.search(source, typed),
      services.sources.tables(source, typed),
    ]);
    return [...models, ...matching(tables, typed)];
  },
  models: async (typed, _raw, _caller, services) =>
    matching(
      (await services.models.list()).map((model) => model.name),
      typed,
    ),
};

/** What fields of these steps offer while a person types. */
export const alertLookups: Readonly<Record<string, Lookup<Services>>> = {
  ...queryLookups,
  alerts,
  people: (typed, _raw, caller, services) => services.people.search(typed, caller),
  targets: async (typed, raw, caller, services) => {
    const [channels, people, names] = await Promise.all([
      services.places.search(typed, caller),
      services.people.search(typed, caller),
      columnNames(raw, services),
    ]);
    const wanted = typed.toLowerCase();
    const fromColumns = names
      .filter((name) => name.toLowerCase().includes(wanted) || 'column'.startsWith(wanted))
      .flatMap((name) => [
        { value: `person:${name}`, label: `The person in column ${name}` },
        { value: `channel:${name}`, label: `The channel in column ${name}` },
      ]);
    return [...channels.slice(0, 8), ...people.slice(0, 6), ...fromColumns.slice(0, 10)];
  },
};

const query: Step<Services> = {
  title: 'What to watch',
  fields: () => ['source', 'sql', 'table', 'model'],
  prepare: async (_raw, _caller, services) => {
    const known = await services.sources.list();
    const first = known[0]?.name;
    return {
      intro:
        first === undefined
          ? [text('No warehouse is connected yet: say ', code('/activate connect'), ' first.')]
          : [text('Each row that the query gives is something worth telling somebody.')],
      initial: first === undefined ? {} : { source: first },
    };
  },
  check: async (raw, _caller, services) => {
    const field = raw['sql'] !== undefined && raw['sql'] !== '' ? 'sql' : raw['table'] ? 'table' : 'sql';
    const sql = await at(field, () => queryOf(raw, services));
    await at(field, () => services.models.examine(raw['source'] ?? '', sql));
    return {};
  },
};

/** What a query gave: how many rows, the first of them, the columns. */
export function findingBlocks(finding: Finding): readonly Block[] {
  return [
    text(
      bold(`${finding.rows.toLocaleString('en')} ${finding.rows === 1 ? 'row' : 'rows'}`),
      ' just now. The first of them:',
    ),
    tableBlock(finding.sample, finding.rows),
    context(finding.columns.map((column) => `${column.name} ${column.native}`).join(' · ')),
    ...(finding.cost === undefined ? [] : [context(finding.cost)]),
    ...finding.warnings.map((warning) => text('⚠️ ', warning)),
  ];
}

const found: Step<Services> = {
  title: 'What was found',
  fields: () => ['key', 'trigger'],
  prepare: async (raw, caller, services) => {
    const found = await services.models.recall(raw['source'] ?? '', await queryOf(raw, services));
    const { finding } = await shownFinding(found, raw, caller, services);
    const key = await keyToBegin(raw, finding, services);
    const intro = [...(await dbtBlocks(raw, services)), ...findingBlocks(finding)];
    return { intro, initial: { ...key, trigger: 'added' } };
  },
  check: async (raw, _caller, services) => {
    const key = splitMany(raw['key'] ?? '');
    const names = await columnNames(raw, services);
    const missing = key.find((name) => !names.includes(name));
    if (missing !== undefined) {
      return { key: `There is no column "${missing}". The columns are: ${names.join(', ')}.` };
    }
    return key.length === 0 && raw['trigger'] !== 'threshold'
      ? { key: 'Choose the column that tells rows apart.' }
      : {};
  },
};

const watched: Step<Services> = {
  title: 'Which changes',
  fields: (raw) => (raw['trigger'] === 'changed' ? ['watch'] : []),
};

const line: Step<Services> = {
  title: 'Which number',
  fields: (raw) => (raw['trigger'] === 'threshold' ? ['on', 'column', 'test', 'limit'] : []),
  // They may be left out of an alert without a line, but not of this step.
  required: ['on', 'test', 'limit'],
  prepare: async () => ({ initial: { on: 'value', test: 'above' } }),
  check: async (raw, _caller, services) => {
    const names = await columnNames(raw, services);
    return raw['on'] !== 'count' && !names.includes(raw['column'] ?? '')
      ? { column: `Choose a column: ${names.join(', ')}.` }
      : {};
  },
};

const message: Step<Services> = {
  title: 'What to say, and where',
  fields: () => ['title', 'message', 'to', 'tag', 'mode'],
  prepare: async (raw, _caller, services) => {
    const known = await columnsOf(raw, services);
    const names =
      raw['trigger'] === 'threshold' && raw['on'] === 'count'
        ? ['count']
        : known.map((column) => column.name);
    const suggested =
      names[0] === 'count' && names.length === 1
        ? { title: 'The count crossed the line', message: '{{ count }} rows' }
        : suggestedText(known);
    const more =
      raw['trigger'] === 'changed'
        ? [context('The value before the change: ', code('{{ previous.column }}'))]
        : [];
    return {
      intro: [context('At hand: ', ...names.flatMap((name) => [code(hole(name)), ' '])), ...more],
      initial: { ...suggested, mode: 'card' },
    };
  },
  check: async (raw, caller, services) => {
    const known = await columnsOf(raw, services);
    services.alerts.checkMessage(known, {
      title: raw['title'] ?? '',
      message: raw['message'] ?? '',
      trigger: raw['trigger'] as AlertSettings['trigger'],
      threshold: thresholdOf(raw),
    });
    const names = known.map((column) => column.name);
    const targets = await targetsOf(splitMany(raw['to'] ?? ''), caller, services);
    const missing = targets
      .flatMap((target) => ('column' in target ? [target.column] : []))
      .find((name) => !names.includes(name));
    if (missing !== undefined) {
      return { to: `There is no column "${missing}". The columns are: ${names.join(', ')}.` };
    }
    await tagsOf(splitMany(raw['tag'] ?? ''), caller, services);
    return {};
  },
};

const when: Step<Services> = {
  title: 'Name and schedule',
  fields: () => ['name', 'schedule', 'timeZone'],
  prepare: async (raw, caller, services) => ({
    initial: {
      name: suggestedName(raw),
      schedule: await scheduleToBegin(raw, 'every 15 minutes', services),
      timeZone: caller.timeZone,
    },
  }),
  check: async (raw, _caller, services) => {
    await mustHaveSchedule(raw);
    const name = slug(raw['name'] ?? '');
    if (name === '') {
      return { name: 'Use letters and digits.' };
    }
    const taken =
      raw['alert'] !== name && (await services.syncs.list()).some(({ sync }) => sync.name === name);
    return taken ? { name: `There is already an alert "${name}".` } : {};
  },
};

const preview: Step<Services> = {
  title: 'Preview',
  fields: () => ['existing'],
  prepare: async (raw, caller, services) => {
    const draft = await draftOf(raw, caller, services);
    const finding = await services.models.recall(draft.source, draft.sql, draft.key);
    const { hidden } = await shownFinding(finding, raw, caller, services);
    const asSent = await services.alerts.previewCard(draft, finding);
    const card =
      hidden === undefined ? asSent : maskCard(asSent, (text) => maskText(text, [firstRow(finding)], hidden));
    const seconds = draft.schedule.cron.split(/\s+/).length === 6;
    const next = nextRuns(draft.schedule, services.now(), 3).map((date) =>
      moment(date, draft.schedule.timeZone, { seconds }),
    );
    return {
      intro: [
        context('This is how it will look:'),
        { type: 'heading', text: card.title },
        ...card.blocks,
        { type: 'divider' },
        text(
          bold(
            `${finding.rows.toLocaleString('en')} ${finding.rows === 1 ? 'row matches' : 'rows match'} now. `,
          ),
          describeSchedule(draft.schedule),
          '.',
        ),
        ...(next.length === 0 ? [] : [context(`Next runs: ${next.join(' · ')}`)]),
        ...finding.warnings.map((warning) => text('⚠️ ', warning)),
      ],
      initial: { existing: 'known' },
      submit: raw['alert'] === undefined ? 'Create alert' : 'Save changes',
    };
  },
};

/** The row that a preview is made of. */
function firstRow({ columns, sample }: Finding): Row {
  return Object.fromEntries(columns.map(({ name }, at) => [name, sample.rows[0]?.[at] ?? null]));
}

/** The way from a question to an alert, step by step. */
export const alertSteps: readonly Step<Services>[] = [query, found, watched, line, message, when, preview];
