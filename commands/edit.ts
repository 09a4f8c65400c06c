import { alertDetailCard } from '../engine/cards/show.ts';
import type { Step } from '../engine/contracts/command.ts';
import { ActivateError, asActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import type { AlertDetail, Services } from '../engine/services.ts';
import { draftOf } from './alert-fields.ts';
import { alertLookups, alertSteps } from './alert-steps.ts';
import { defineCommand } from './define.ts';
import { newAlert } from './new-alert.ts';
import { rawOf } from './raw.ts';

// The name stays: what is said and written of an alert goes by it.
const { name: _name, ...fields } = newAlert.fields;

export const edit = defineCommand({
  name: 'edit',
  title: 'Edit an alert',
  summary: 'Changes an alert, in the same steps in which it was made.',
  example: '/activate edit pql-free-tier',
  access: 'editor',
  fields: {
    ...fields,
    alert: field.lookup({ label: 'Alert', lookup: 'alerts' }),
  },
  positional: ['alert'],
  lookups: alertLookups,
  steps: alertSteps.map(filledIn),
  run: async (input, caller, services) => {
    const before = await alertNamed(input.alert, services);
    const draft = await draftOf({ ...rawOf(input), name: input.alert }, caller, services);
    const { burst, cooldownDays, recovery } = before.settings;
    const settings = {
      ...draft.settings,
      burst,
      cooldownDays,
      ...(recovery === undefined ? {} : { recovery }),
    };
    const changed = await services.alerts.update(input.alert, { ...draft, settings }, caller);
    return { kind: 'card', to: 'caller', card: alertDetailCard(changed, services.now()) };
  },
});

/** A step of a new alert that begins with what the alert is now. */
function filledIn(step: Step<Services>): Step<Services> {
  const { prepare, check } = step;
  return {
    ...step,
    fields: (raw) => step.fields(raw).filter((name) => name !== 'name'),
    prepare: async (raw, caller, services) => {
      const now = answersOf(await alertNamed(raw['alert'] ?? '', services));
      const prepared = await prepare?.({ ...now, ...raw }, caller, services);
      return { ...prepared, initial: { ...prepared?.initial, ...now } };
    },
    ...(check === undefined
      ? {}
      : { check: (raw, caller, services) => check({ ...raw, name: raw['alert'] ?? '' }, caller, services) }),
  };
}

/** The alert; when there is none of that name, this form says so at its own field. */
async function alertNamed(name: string, services: Services): Promise<AlertDetail> {
  try {
    return await services.alerts.show(name);
  } catch (thrown) {
    const error = asActivateError(thrown);
    throw error.code === 'NOT_FOUND'
      ? new ActivateError('NOT_FOUND', error.message, {
          cause: error,
          fields: { alert: error.fields?.['name'] ?? error.message },
        })
      : error;
  }
}

/** An alert as the answers that would make it. */
function answersOf({ sync, settings, model, source, dbt }: AlertDetail): Raw {
  const targets = settings.targets.map((target) => {
    if ('to' in target) {
      return target.to;
    }
    return `${target.type === 'person-from' ? 'person' : 'channel'}:${target.column}`;
  });
  return rawOf({
    name: sync.name,
    source: source.name,
    sql: model.sql,
    ...(dbt === undefined ? {} : { table: `dbt:${dbt}` }),
    key: model.key,
    trigger: settings.trigger,
    ...(settings.watch.length > 0 ? { watch: settings.watch } : {}),
    ...settings.threshold,
    title: settings.title,
    message: settings.message,
    to: targets,
    ...(settings.tag.length > 0 ? { tag: settings.tag } : {}),
    mode: settings.mode,
    schedule: sync.cron,
    timeZone: sync.timeZone,
    existing: settings.silentFirst ? 'known' : 'say',
  });
}
