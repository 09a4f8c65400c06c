import { actions, bold, button, code, context, moment, text } from '../../engine/cards/build.ts';
import { editCommands } from '../../engine/cards/failure.ts';
import { dryRunBlocks } from '../../engine/cards/preview.ts';
import { detailCard } from '../../engine/cards/show.ts';
import { syncWords } from '../../engine/cards/words.ts';
import type { Caller, Lookup, Step } from '../../engine/contracts/command.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Fields, field, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Column } from '../../engine/contracts/source.ts';
import { type ApprovalPolicy, approvalPolicy, policyWords } from '../../engine/model/policy.ts';
import { maskDryRun } from '../../engine/personal/dry-run.ts';
import { describeSchedule, nextRuns, parseSchedule } from '../../engine/schedule/cron.ts';
import type { Finding, Services, SyncDetail, SyncDraft } from '../../engine/services.ts';
import type { DeliveryFramework } from '../../engine/setup/index.ts';
import type { Sync } from '../../engine/store/syncs.ts';
import { alertFields, at, dbtOf, queryOf, slug } from '../alert-fields.ts';
import { findingBlocks, queryLookups } from '../alert-steps.ts';
import { dbtBlocks, keyToBegin, mustHaveSchedule, scheduleToBegin } from '../dbt-forms.ts';
import { type AnyCommand, defineCommand } from '../define.ts';
import { matching } from '../lookups.ts';
import { shownFinding } from '../personal.ts';
import { rawOf } from '../raw.ts';
import { answersOf as policyAnswers, policyFields, policyLookups, policyOf, policySteps } from './policy.ts';

/** One of the ways in which people make syncs that are no alerts. */
export interface SyncKind {
  readonly fields: Fields;
  readonly lookups?: Readonly<Record<string, Lookup<Services>>>;
  /** What becomes of the rows, as a sentence above the first question. */
  readonly intro: string;
  /** Which connections can be chosen. */
  readonly parts: readonly DeliveryFramework[];
  /** What is asked between the query and the name. */
  readonly steps: readonly Step<Services>[];
  /** A name to begin with. */
  suggestedName(raw: Raw): string;
  framework(raw: Raw): DeliveryFramework;
  /** The answers as settings of the framework. Throws at the field at fault. */
  settings(raw: Raw, columns: readonly Column[], services: Services): Promise<unknown>;
  /** Settings as the answers that would make them. */
  answers(sync: Sync): Raw;
}

const shared = {
  source: alertFields.source,
  sql: { ...alertFields.sql, help: 'One SELECT; each row that it gives goes to the destination.' },
  table: alertFields.table,
  model: { ...alertFields.model, help: 'A query that an alert or a sync uses already.' },
  destination: field.lookup({ label: 'Destination', lookup: 'destinations', help: 'Where the rows go.' }),
  key: field.optional(
    field.lookups({ label: 'Key', lookup: 'columns', help: 'The columns that tell rows apart.' }),
  ),
  name: field.text({ label: 'Name', help: 'Short, in small letters: contacts-to-crm.', max: 60 }),
  schedule: alertFields.schedule,
  timeZone: alertFields.timeZone,
  first: field.choice({
    label: 'First run',
    of: { now: 'At once', later: 'When the schedule says' },
  }),
};

/** What a command is called and says of itself. */
type Called = Pick<AnyCommand, 'name' | 'title' | 'summary' | 'example'>;

/** The command that makes a sync of a kind. */
export function newSyncOf(kind: SyncKind, called: Called): AnyCommand {
  return defineCommand({
    ...called,
    access: 'editor',
    fields: { ...shared, ...optionalAll({ ...kind.fields, ...policyFields }) } as Fields,
    lookups: lookupsOf(kind),
    steps: stepsOf(kind),
    run: async (input, caller, services) => {
      const made = await services.syncs.create(await draftOf(kind, rawOf(input), caller, services), caller);
      return { kind: 'card', to: 'conversation', card: madeCard(made, caller) };
    },
  }) as AnyCommand;
}

/** The command that changes one, in the same steps. */
export function editSyncOf(kind: SyncKind, called: Called): AnyCommand {
  const { name: _name, first: _first, ...fields } = shared;
  return defineCommand({
    ...called,
    access: 'editor',
    fields: {
      ...fields,
      ...optionalAll({ ...kind.fields, ...policyFields }),
      first: field.optional(shared.first),
      sync: field.lookup({ label: 'Sync', lookup: 'ofThisKind' }),
    } as Fields,
    positional: ['sync'],
    lookups: lookupsOf(kind),
    steps: stepsOf(kind).map((step) => filledIn(kind, step)),
    run: async (input, caller, services) => {
      const raw = rawOf(input);
      const draft = await draftOf(kind, { ...raw, name: raw['sync'] ?? '' }, caller, services);
      const changed = await services.syncs.update(raw['sync'] ?? '', draft, caller);
      return { kind: 'card', to: 'caller', card: detailCard(changed, services.now()) };
    },
  }) as AnyCommand;
}

/** Which fields are asked depends on the answers: the steps and the settings say what must not be left out. */
function optionalAll(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, one]) => [name, one.optional ? one : field.optional(one)]),
  );
}

function lookupsOf(kind: SyncKind): Readonly<Record<string, Lookup<Services>>> {
  return {
    ...queryLookups,
    ...policyLookups,
    ...kind.lookups,
    destinations: async (typed, _raw, _caller, services) =>
      matching(
        (await services.destinations.list())
          .filter(({ connector }) => kind.parts.some((part) => connector.offers.includes(part)))
          .map(({ record }) => record.name),
        typed,
      ),
    ofThisKind: async (typed, _raw, _caller, services) =>
      matching(
        (await services.syncs.list())
          .filter(({ sync }) => kind.parts.some((part) => part === sync.framework))
          .map(({ sync }) => sync.name),
        typed,
      ),
  };
}

/** Everything answered, as a sync to be made. */
async function draftOf(kind: SyncKind, raw: Raw, caller: Caller, services: Services): Promise<SyncDraft> {
  const sql = await queryOf(raw, services);
  const columns = await services.models.columns(raw['source'] ?? '', sql);
  return {
    name: slug(raw['name'] ?? ''),
    framework: kind.framework(raw),
    source: raw['source'] ?? '',
    sql,
    dbt: dbtOf(raw),
    key: splitMany(raw['key'] ?? ''),
    destination: raw['destination'] ?? '',
    settings: await kind.settings(raw, columns, services),
    schedule: await at('schedule', async () =>
      parseSchedule(raw['schedule'] ?? 'every hour', raw['timeZone'] ?? caller.timeZone),
    ),
    startsNow: raw['first'] !== 'later',
    policy:
      raw['ask'] === undefined || raw['ask'] === ''
        ? undefined
        : await policyOf(raw, await policyNow(raw, services), services),
  };
}

/** What holds already, where a sync is changed. */
async function policyNow(raw: Raw, services: Services): Promise<ApprovalPolicy> {
  const { sync } = raw;
  return sync === undefined || sync === '' ? approvalPolicy.parse({}) : services.approvals.policy(sync);
}

function stepsOf(kind: SyncKind): readonly Step<Services>[] {
  const last = kind.steps.at(-1);
  // Optional to the command as a whole, because who is asked what depends on the answers; not so where they are asked.
  const required = Object.keys(kind.fields).filter((name) => kind.fields[name]?.optional === false);
  const steps = kind.steps.map((step) => ({
    ...step,
    required,
    ...(step === last ? { check: checkedWhole(kind, step) } : {}),
  }));
  return [query(kind), found(kind), ...steps, when(kind), ...approval(kind), preview(kind)];
}

/** The last of a kind's own steps is passed once its destination agrees to the whole. */
function checkedWhole(kind: SyncKind, step: Step<Services>): NonNullable<Step<Services>['check']> {
  return async (raw, caller, services) => {
    const own = (await step.check?.(raw, caller, services)) ?? {};
    if (Object.keys(own).length === 0) {
      await services.syncs.check(await draftOf(kind, raw, caller, services));
    }
    return own;
  };
}

function query(kind: SyncKind): Step<Services> {
  return {
    title: 'What goes where',
    fields: () => ['source', 'sql', 'table', 'model', 'destination'],
    prepare: async (_raw, _caller, services) => {
      const source = (await services.sources.list())[0]?.name;
      const fitting = (await services.destinations.list()).filter(({ connector }) =>
        kind.parts.some((part) => connector.offers.includes(part)),
      );
      const missing = source === undefined ? 'warehouse' : fitting.length === 0 ? 'destination' : undefined;
      const destination = fitting[0]?.record.name;
      return {
        intro:
          missing === undefined
            ? [text(kind.intro)]
            : [text(`No ${missing} for this is connected yet: say `, code('/activate connect'), ' first.')],
        initial: {
          ...(source === undefined ? {} : { source }),
          ...(destination === undefined ? {} : { destination }),
        },
      };
    },
    check: async (raw, _caller, services) => {
      const where = raw['sql'] !== undefined && raw['sql'] !== '' ? 'sql' : raw['table'] ? 'table' : 'sql';
      const sql = await at(where, () => queryOf(raw, services));
      await at(where, () => services.models.examine(raw['source'] ?? '', sql));
      const connector = await at('destination', () =>
        services.destinations.connectorOf(raw['destination'] ?? ''),
      );
      return kind.parts.some((part) => connector.offers.includes(part))
        ? {}
        : { destination: `${connector.name} can't be used for this.` };
    },
  };
}

function found(kind: SyncKind): Step<Services> {
  return {
    title: 'What was found',
    fields: () => ['key'],
    required: kind.parts.includes('files') ? [] : ['key'],
    prepare: async (raw, caller, services) => {
      const found = await services.models.recall(raw['source'] ?? '', await queryOf(raw, services));
      const { finding } = await shownFinding(found, raw, caller, services);
      const key = await keyToBegin(raw, finding, services);
      return { intro: [...(await dbtBlocks(raw, services)), ...findingBlocks(finding)], initial: key };
    },
    check: async (raw, _caller, services) => {
      const names = (await services.models.columns(raw['source'] ?? '', await queryOf(raw, services))).map(
        (column) => column.name,
      );
      const key = splitMany(raw['key'] ?? '');
      const missing = key.find((name) => !names.includes(name));
      if (missing !== undefined) {
        return { key: `There is no column "${missing}". The columns are: ${names.join(', ')}.` };
      }
      return key.length === 0 && !kind.parts.includes('files')
        ? { key: 'Choose the column that tells rows apart.' }
        : {};
    },
  };
}

function when(kind: SyncKind): Step<Services> {
  return {
    title: 'Name and schedule',
    fields: () => ['name', 'schedule', 'timeZone'],
    prepare: async (raw, caller, services) => ({
      initial: {
        name: kind.suggestedName(raw),
        schedule: await scheduleToBegin(raw, 'every hour', services),
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
        raw['sync'] !== name && (await services.syncs.list()).some(({ sync }) => sync.name === name);
      return taken ? { name: `There is already an alert or sync "${name}".` } : {};
    },
  };
}

/** What has to be approved, and by whom: what is usual for such a sync, until somebody says otherwise. */
function approval(kind: SyncKind): readonly Step<Services>[] {
  return policySteps.map((step) => ({
    ...step,
    required: ['ask'],
    prepare: async (raw, caller, services) => {
      const usual = await services.approvals.usual(await draftOf(kind, raw, caller, services));
      return {
        intro: [
          text('A run that would do something risky waits here until somebody has seen the rows and agreed.'),
          context(`Usual for this: ${policyWords(usual, await services.approvals.namesOf(usual.approvers))}`),
        ],
        initial: policyAnswers(usual),
      };
    },
    check: async (raw, caller, services) => {
      await draftOf(kind, raw, caller, services);
      return {};
    },
  }));
}

function preview(kind: SyncKind): Step<Services> {
  return {
    title: 'Preview',
    fields: () => ['first'],
    prepare: async (raw, caller, services) => {
      const draft = await draftOf(kind, raw, caller, services);
      const finding: Finding = await services.models.recall(draft.source, draft.sql, draft.key);
      const { warnings } = await services.syncs.check(draft);
      const { hidden } = await shownFinding(finding, raw, caller, services);
      const asSent = await services.syncs.rehearse(draft, finding);
      const rehearsed = hidden === undefined ? asSent : maskDryRun(asSent, draft.key, hidden);
      const next = nextRuns(draft.schedule, services.now(), 3).map((date) =>
        moment(date, draft.schedule.timeZone),
      );
      return {
        intro: [
          text(
            bold(`${finding.rows.toLocaleString('en')} rows now. `),
            describeSchedule(draft.schedule),
            '.',
          ),
          context(`Tried with the first ${finding.sample.rows.length}, nothing is sent:`),
          ...dryRunBlocks(rehearsed, { first: 1 }),
          ...(next.length === 0 ? [] : [context(`Next runs: ${next.join(' · ')}`)]),
          ...[...finding.warnings, ...warnings].map((warning) => text('⚠️ ', warning)),
        ],
        initial: { first: 'now' },
        submit: raw['sync'] === undefined ? 'Create' : 'Save changes',
      };
    },
  };
}

/** A step of making a sync that begins with what the sync is now. */
function filledIn(kind: SyncKind, step: Step<Services>): Step<Services> {
  const { prepare, check } = step;
  return {
    ...step,
    fields: (raw) => step.fields(raw).filter((name) => name !== 'name'),
    prepare: async (raw, caller, services) => {
      const now = answersOf(kind, await ofKind(kind, raw['sync'] ?? '', services));
      const prepared = await prepare?.({ ...now, ...raw, name: raw['sync'] ?? '' }, caller, services);
      return { ...prepared, initial: { ...prepared?.initial, ...now } };
    },
    ...(check === undefined
      ? {}
      : { check: (raw, caller, services) => check({ ...raw, name: raw['sync'] ?? '' }, caller, services) }),
  };
}

/** The sync of this name, when it is of this kind; otherwise it is said at its own field. */
async function ofKind(kind: SyncKind, name: string, services: Services): Promise<Of<'sync'>> {
  const detail = await at('sync', () => services.syncs.show(name));
  if (detail.kind === 'sync' && kind.parts.some((part) => part === detail.sync.framework)) {
    return detail;
  }
  const sentence = `${name} is of another kind.`;
  throw new ActivateError('INPUT_INVALID', sentence, {
    fields: { sync: `${sentence} Say: /activate ${editCommands[detail.sync.framework]} ${name}.` },
  });
}

type Of<K extends SyncDetail['kind']> = Extract<SyncDetail, { kind: K }>;

function answersOf(kind: SyncKind, { sync, model, source, destination, dbt }: Of<'sync'>): Raw {
  return {
    source: source.name,
    sql: model.sql,
    ...(dbt === undefined ? {} : { table: `dbt:${dbt}` }),
    key: JSON.stringify(model.key),
    destination: destination.name,
    schedule: sync.cron,
    timeZone: sync.timeZone,
    ...policyAnswers(approvalPolicy.parse(sync.policy)),
    ...kind.answers(sync),
  };
}

function madeCard(made: SyncDetail, caller: Caller) {
  const { sync } = made;
  const { name } = sync;
  return {
    title: `${name} is on`,
    tone: 'good',
    blocks: [
      text(`In ${made.goesTo.join(', ')} it ${syncWords(sync)}. ${describeSchedule(sync)}.`),
      context(policyWords(approvalPolicy.parse(sync.policy))),
      context(`Made by ${caller.name} · trouble with it is reported here`),
      actions(
        button('Run now', 'run', { name }, { style: 'primary' }),
        sync.framework === 'mail' ? button('Send test to me', 'test', { name }) : undefined,
        button('Show', 'show', { name }),
        button('Edit', editCommands[sync.framework], { sync: name }),
        button('Pause', 'pause', { name }),
      ),
    ],
    fallback: `${name} is on`,
  } as const;
}
