import { bold, code, context, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import type { Raw } from '../engine/contracts/refs.ts';
import { keyIn } from '../engine/dbt/link.ts';
import { isAfterDbt, parseSchedule } from '../engine/schedule/cron.ts';
import type { Finding, Services } from '../engine/services.ts';
import { at, dbtOf } from './alert-fields.ts';

/** What its authors say of the dbt model that was chosen; nothing when none was. */
export async function dbtBlocks(raw: Raw, services: Services): Promise<readonly Block[]> {
  const dbt = dbtOf(raw);
  if (dbt === undefined) {
    return [];
  }
  const { model, warnings } = await services.dbt.model(dbt);
  const facts = [
    model.materialized,
    ...(model.owner === undefined ? [] : [`owner ${model.owner}`]),
    ...(model.tags.length === 0 ? [] : [model.tags.map((tag) => `#${tag}`).join(' ')]),
  ];
  return [
    text('dbt model ', bold(model.name), model.description === '' ? '' : `: ${model.description}`),
    context(facts.join(' · '), ...(model.file === undefined ? [] : [' · ', code(model.file)])),
    ...warnings.map((warning) => text('⚠️ ', warning)),
  ];
}

/** The key to begin with: as the authors of the dbt model say, or as the warehouse makes it look. */
export async function keyToBegin(raw: Raw, finding: Finding, services: Services): Promise<Raw> {
  const dbt = dbtOf(raw);
  const said = dbt === undefined ? [] : keyIn((await services.dbt.model(dbt)).model, finding.columns);
  const key = said.length > 0 ? said : finding.suggestedKey;
  return key.length === 0 ? {} : { key: JSON.stringify(key) };
}

/** When to run to begin with: after dbt, where it tells us of its runs. */
export async function scheduleToBegin(raw: Raw, usual: string, services: Services): Promise<string> {
  const dbt = dbtOf(raw);
  return dbt !== undefined && (await services.dbt.hasWebhook(dbt)) ? 'after dbt' : usual;
}

/** Throws INPUT_INVALID at the field `schedule` for one that is none, or that nothing would ever start. */
export async function mustHaveSchedule(raw: Raw): Promise<void> {
  const schedule = await at('schedule', async () =>
    parseSchedule(raw['schedule'] ?? '', raw['timeZone'] ?? 'UTC'),
  );
  if (isAfterDbt(schedule) && dbtOf(raw) === undefined) {
    const sentence = 'No dbt model was chosen in the first step, so that dbt starts nothing here.';
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { schedule: sentence } });
  }
}
