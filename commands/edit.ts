import { alertDetailCard } from '../engine/cards/show.ts';
import type { Step } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import type { AlertDetail, Services } from '../engine/services.ts';
import { draftOf } from './alert-fields.ts';
import { alertLookups, alertSteps } from './alert-steps.ts';
import { defineCommand } from './define.ts';
import { newAlert } from './new-alert.ts';
import { rawOf } from './raw.ts';

export const edit = defineCommand({
  name: 'edit',
  title: 'Edit an alert',
  summary: 'Changes an alert, in the same steps in which it was made.',
  example: '/activate edit pql-free-tier',
  access: 'editor',
  fields: {
    ...newAlert.fields,
    alert: field.lookup({ label: 'Alert', lookup: 'alerts' }),
  },
  positional: ['alert'],
  lookups: alertLookups,
  steps: alertSteps.map(filledIn),
  run: async (input, caller, services) => {
    const raw = rawOf(input);
    const before = await services.alerts.show(input.alert);
    const draft = await draftOf(raw, caller, services);
    const settings = {
      ...draft.settings,
      burst: before.settings.burst,
      cooldownDays: before.settings.cooldownDays,
    };
    const changed = await services.alerts.update(input.alert, { ...draft, settings }, caller);
    return { kind: 'card', to: 'caller', card: alertDetailCard(changed, services.now()) };
  },
});

/** A step of a new alert that begins with what the alert is now. */
function filledIn(step: Step<Services>): Step<Services> {
  return {
    ...step,
    fields: (raw) => step.fields(raw).filter((name) => name !== 'name'),
    prepare: async (raw, caller, services) => {
      if (raw['alert'] === undefined) {
        throw new ActivateError('INPUT_INVALID', 'Say which alert: /activate edit <name>.');
      }
      const now = answersOf(await services.alerts.show(raw['alert']));
      const merged = { ...now, ...raw };
      const prepared = await step.prepare?.(merged, caller, services);
      return { ...prepared, initial: { ...prepared?.initial, ...now } };
    },
  };
}

/** An alert as the answers that would make it. */
function answersOf({ sync, settings, model, source }: AlertDetail): Raw {
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
