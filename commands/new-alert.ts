import { actions, button, context, text } from '../engine/cards/build.ts';
import { triggerWords } from '../engine/cards/words.ts';
import { field } from '../engine/contracts/form.ts';
import { describeSchedule } from '../engine/schedule/cron.ts';
import { alertFields, draftOf } from './alert-fields.ts';
import { alertLookups, alertSteps } from './alert-steps.ts';
import { defineCommand } from './define.ts';
import { rawOf } from './raw.ts';

const fields = {
  ...alertFields,
  on: field.optional(alertFields.on),
  test: field.optional(alertFields.test),
  limit: field.optional(alertFields.limit),
};

export const newAlert = defineCommand({
  name: 'new-alert',
  title: 'New alert',
  summary: 'Makes an alert: a query, a message, a place to say it, and how often to look.',
  example: '/activate new-alert',
  access: 'editor',
  fields,
  lookups: alertLookups,
  steps: alertSteps,
  run: async (input, caller, services) => {
    const draft = await draftOf(rawOf(input), caller, services);
    const alert = await services.alerts.create(draft, caller);
    const { name } = alert.sync;
    const card = {
      title: `${name} is on`,
      tone: 'good',
      blocks: [
        text(
          `When ${triggerWords(alert)}, I say so in ${alert.goesTo.join(', ')}. `,
          describeSchedule(alert.sync),
          '.',
        ),
        context(`Made by ${caller.name} · trouble with it is reported here`),
        actions(
          button('Run now', 'run', { name }, { style: 'primary' }),
          button('Send test to me', 'test', { name }),
          button('Edit', 'edit', { name }),
          button('Pause', 'pause', { name }),
        ),
      ],
      fallback: `${name} is on`,
    } as const;
    return { kind: 'card', to: 'conversation', card };
  },
});
