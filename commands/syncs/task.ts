import { context, text } from '../../engine/cards/build.ts';
import type { Lookup, Step } from '../../engine/contracts/command.ts';
import { field } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { parseMapping, writeMapping } from '../../engine/mapping/expression.ts';
import { taskRemovals, tasksSettings } from '../../engine/model/tasks.ts';
import type { Services } from '../../engine/services.ts';
import { at, queryOf, slug, suggestedText } from '../alert-fields.ts';
import type { SyncKind } from './kind.ts';
import { numberOr } from './numbers.ts';

const yesNo = { yes: 'Yes', no: 'No' } as const;

const fields = {
  project: field.lookup({ label: 'Project', lookup: 'projects', help: 'Where the tasks are made.' }),
  title: field.text({ label: 'Title', help: 'Values as {{ column }}.', max: 300 }),
  body: field.area({ label: 'Text', language: 'liquid', help: 'Values as {{ column }}. Plain text.' }),
  assignee: field.optional(
    field.lookup({ label: 'Who does it', lookup: 'columns', help: 'The column with the e-mail address.' }),
  ),
  due: field.optional(
    field.lookup({ label: 'Until when', lookup: 'columns', help: 'The column with the day.' }),
  ),
  fields: field.optional(field.area({ label: 'Other fields', help: 'One per line: field = column.' })),
  update: field.choice({ label: 'Keep up to date', of: yesNo }),
  removal: field.choice({ label: 'When a row leaves', of: taskRemovals }),
  reopen: field.choice({ label: 'When it comes back', of: { yes: 'Open its task again', no: 'Do nothing' } }),
  existing: field.choice({
    label: 'Rows there already',
    of: { known: 'Make no tasks of them', say: 'Make tasks of them too' },
  }),
  atMost: field.optional(
    field.number({
      label: 'At most at once',
      min: 1,
      whole: true,
      help: 'Stop and ask when a run would make more. 50 when empty.',
    }),
  ),
};

const tasksIn = (raw: Raw, services: Services) =>
  services.destinations.part(raw['destination'] ?? '', 'tasks');

const lookups: Readonly<Record<string, Lookup<Services>>> = {
  projects: async (typed, raw, _caller, services) => (await tasksIn(raw, services)).projects(typed),
};

const where: Step<Services> = {
  title: 'Which project',
  fields: () => ['project'],
  check: async (raw, _caller, services) => {
    await at('project', async () => (await tasksIn(raw, services)).fields(raw['project'] ?? ''));
    return {};
  },
};

const what: Step<Services> = {
  title: 'The task',
  fields: () => ['title', 'body', 'assignee', 'due', 'fields'],
  prepare: async (raw, _caller, services) => {
    const columns = await services.models.columns(raw['source'] ?? '', await queryOf(raw, services));
    const others = await (await tasksIn(raw, services)).fields(raw['project'] ?? '');
    const { title, message } = suggestedText(columns);
    const email = columns.find(({ name }) => /owner.*mail|assignee|rep.*mail/i.test(name))?.name;
    const needed = others.filter((spec) => spec.required).map((spec) => spec.name);
    return {
      intro: [
        context(`Columns: ${columns.map((column) => column.name).join(', ')}`),
        ...(others.length === 0
          ? []
          : [
              context(
                `Other fields there: ${others
                  .map((spec) => spec.name)
                  .slice(0, 30)
                  .join(', ')}`,
              ),
            ]),
        ...(needed.length === 0 ? [] : [text(`A task there needs: ${needed.join(', ')}.`)]),
      ],
      initial: {
        title,
        body: message.replaceAll(/ \| mention|\*/g, ''),
        ...(email === undefined ? {} : { assignee: email }),
      },
    };
  },
};

const later: Step<Services> = {
  title: 'What becomes of it',
  fields: () => ['update', 'removal', 'reopen', 'existing', 'atMost'],
  prepare: async () => ({
    intro: [text('Each row gets one task, for ever. What a person closed is never touched again.')],
    initial: { update: 'no', removal: 'comment', reopen: 'yes', existing: 'known', atMost: '50' },
  }),
};

export const task: SyncKind = {
  intro: 'Each row that the query gives becomes a task there.',
  fields,
  lookups,
  parts: ['tasks'],
  steps: [where, what, later],
  suggestedName: (raw) => slug(`tasks-in-${raw['destination'] ?? 'there'}`),
  framework: () => 'tasks',
  settings: async (raw, columns, services) => {
    const names = columns.map((column) => column.name);
    const project = raw['project'] ?? '';
    const known = (await (await tasksIn(raw, services)).projects('')).find(
      (option) => option.value === project || option.label === project,
    );
    return {
      project: known?.value ?? project,
      projectName: known?.label ?? project,
      title: raw['title'] ?? '',
      body: raw['body'] ?? '',
      ...((raw['assignee'] ?? '') === '' ? {} : { assignee: raw['assignee'] }),
      ...((raw['due'] ?? '') === '' ? {} : { due: raw['due'] }),
      fields: await at('fields', async () => parseMapping(raw['fields'] ?? '', names)),
      update: raw['update'] === 'yes',
      removal: raw['removal'] ?? 'leave',
      reopen: raw['reopen'] !== 'no',
      silentFirst: raw['existing'] !== 'say',
      atMost: numberOr(raw['atMost'], 50),
    };
  },
  answers: (sync) => {
    const settings = tasksSettings.parse(sync.settings);
    return {
      project: settings.project,
      title: settings.title,
      body: settings.body,
      assignee: settings.assignee ?? '',
      due: settings.due ?? '',
      fields: writeMapping(settings.fields),
      update: settings.update ? 'yes' : 'no',
      removal: settings.removal,
      reopen: settings.reopen ? 'yes' : 'no',
      existing: settings.silentFirst ? 'known' : 'say',
      atMost: String(settings.atMost),
    };
  },
};
