import type { Caller } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { field, splitMany } from '../engine/contracts/form.ts';
import type { PlatformId, Raw } from '../engine/contracts/refs.ts';
import { formatTarget, parseTarget } from '../engine/contracts/refs.ts';
import type { Column } from '../engine/contracts/source.ts';
import {
  type AlertSettings,
  type AlertTarget,
  modes,
  type Threshold,
  triggers,
} from '../engine/model/alert.ts';
import { parseSchedule } from '../engine/schedule/cron.ts';
import type { AlertDraft, Services } from '../engine/services.ts';

const tests = {
  above: 'is above the limit',
  below: 'is below the limit',
  moved: 'moves by more than x %',
  unusual: 'leaves its usual range',
} as const;

/** What making and editing an alert asks. Each declared once for both. */
export const alertFields = {
  source: field.lookup({ label: 'Source', lookup: 'sources', help: 'The warehouse to read from.' }),
  sql: field.optional(
    field.area({
      label: 'Query (SQL)',
      language: 'sql',
      help: 'One SELECT; each row it gives is something worth knowing.',
      placeholder: 'select id, name, owner_email from accounts where …',
    }),
  ),
  table: field.optional(
    field.lookup({
      label: 'Or a table or dbt model',
      lookup: 'tables',
      help: 'With a query beside it, a dbt model says what the query reads.',
    }),
  ),
  model: field.optional(
    field.lookup({ label: 'Or the query of', lookup: 'models', help: 'A query that another alert uses.' }),
  ),
  key: field.optional(
    field.lookups({
      label: 'Key',
      lookup: 'columns',
      help: 'The columns that tell rows apart. A single number needs none.',
    }),
  ),
  trigger: field.choice({ label: 'Say something when', of: triggers }),
  watch: field.optional(
    field.lookups({
      label: 'Watched columns',
      lookup: 'columns',
      help: 'Only a change in these counts; all columns if empty.',
    }),
  ),
  on: field.choice({
    label: 'What is watched',
    of: { value: 'A value in a column', count: 'The number of rows' },
  }),
  column: field.optional(
    field.lookup({ label: 'Column', lookup: 'columns', help: 'The number that is watched.' }),
  ),
  test: field.choice({ label: 'It fires when it', of: tests }),
  limit: field.number({
    label: 'Limit',
    help: 'The line, the percentage, or the number of standard deviations.',
  }),
  title: field.text({ label: 'Title', help: 'Heads each card. Values as {{ column }}.', max: 300 }),
  message: field.area({
    label: 'Message',
    language: 'liquid',
    help: 'Values as {{ column }}; {{ email | mention }} tags a person.',
  }),
  to: field.lookups({
    label: 'Send to',
    lookup: 'targets',
    help: 'Channels, people, or the person or channel a column names.',
  }),
  tag: field.optional(
    field.lookups({ label: 'Tag', lookup: 'people', help: 'People to tag in every message.' }),
  ),
  mode: field.choice({ label: 'How', of: modes }),
  name: field.text({ label: 'Name', help: 'Short, in small letters: pql-free-tier.', max: 60 }),
  schedule: field.text({
    label: 'How often',
    help: 'In words ("every 15 minutes", "weekdays at 8:30") or as cron.',
  }),
  timeZone: field.text({ label: 'Time zone', help: 'As Europe/Paris or UTC.' }),
  existing: field.choice({
    label: 'Rows there already',
    of: { known: 'Take them as known, say nothing', say: 'Say them too' },
  }),
};

/** The dbt model that was chosen, as `shop/accounts`; undefined when none was. */
export function dbtOf({ table = '' }: Raw): string | undefined {
  return table.startsWith('dbt:') ? table.slice('dbt:'.length) : undefined;
}

/** The query that was written, chosen as a table, or taken from another alert. Throws INPUT_INVALID at the field. */
export async function queryOf(raw: Raw, services: Services): Promise<string> {
  if (raw['sql'] !== undefined && raw['sql'].trim() !== '') {
    return raw['sql'];
  }
  const dbt = dbtOf(raw);
  if (dbt !== undefined) {
    return (await services.dbt.model(dbt)).sql;
  }
  if (raw['table'] !== undefined && raw['table'] !== '') {
    return services.sources.selectAll(raw['source'] ?? '', raw['table']);
  }
  const model = (await services.models.list()).find((one) => one.name === raw['model']);
  if (model !== undefined) {
    return model.sql;
  }
  const sentence =
    raw['model'] === undefined || raw['model'] === ''
      ? 'Write a query, or choose a table.'
      : `There is no query "${raw['model']}".`;
  throw new ActivateError('INPUT_INVALID', sentence, { fields: { sql: sentence } });
}

export function thresholdOf(raw: Raw): Threshold | undefined {
  if (raw['trigger'] !== 'threshold' || raw['test'] === undefined || raw['limit'] === undefined) {
    return undefined;
  }
  const column = raw['column'] === undefined || raw['column'] === '' ? {} : { column: raw['column'] };
  return {
    on: raw['on'] === 'count' ? 'count' : 'value',
    test: raw['test'] as Threshold['test'],
    limit: Number(raw['limit']),
    ...(raw['on'] === 'count' ? {} : column),
  };
}

/** Places as typed or chosen. Throws INPUT_INVALID at the field `to` for one that there is not. */
export async function targetsOf(
  written: readonly string[],
  caller: Caller,
  services: Services,
): Promise<readonly AlertTarget[]> {
  return Promise.all(
    written.map(async (text): Promise<AlertTarget> => {
      const named = /^(person|channel):(.+)$/.exec(text);
      if (named !== null) {
        return { type: named[1] === 'person' ? 'person-from' : 'channel-from', column: named[2] as string };
      }
      const target = await at('to', () => services.places.resolve(text, caller));
      return { type: target.kind === 'person' ? 'person' : 'channel', to: formatTarget(target) };
    }),
  );
}

/** People to tag, as typed or chosen. Throws INPUT_INVALID at the field `tag` for somebody who is not there. */
export async function tagsOf(
  written: readonly string[],
  caller: Caller,
  services: Services,
): Promise<readonly string[]> {
  return Promise.all(
    written.map((text) => at('tag', async () => formatTarget(await services.places.resolve(text, caller)))),
  );
}

/** Runs `work`; what goes wrong is said at this field. */
export async function at<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ActivateError && thrown.fields === undefined && thrown.code !== 'BUG') {
      const sentence = thrown.fix === undefined ? thrown.message : `${thrown.message} ${thrown.fix}`;
      throw new ActivateError(thrown.code, thrown.message, { cause: thrown, fields: { [name]: sentence } });
    }
    throw thrown;
  }
}

/** Everything answered, as an alert to be made. */
export async function draftOf(raw: Raw, caller: Caller, services: Services): Promise<AlertDraft> {
  const targets = await targetsOf(splitMany(raw['to'] ?? ''), caller, services);
  const tags = await tagsOf(splitMany(raw['tag'] ?? ''), caller, services);
  const threshold = thresholdOf(raw);
  const settings: AlertSettings = {
    trigger: (raw['trigger'] ?? 'added') as AlertSettings['trigger'],
    watch: raw['trigger'] === 'changed' ? [...splitMany(raw['watch'] ?? '')] : [],
    ...(threshold === undefined ? {} : { threshold }),
    title: raw['title'] ?? '',
    message: raw['message'] ?? '',
    targets: [...targets],
    tag: [...tags],
    mode: (raw['mode'] ?? 'card') as AlertSettings['mode'],
    burst: 20,
    cooldownDays: 90,
    silentFirst: raw['existing'] !== 'say',
    platform: platformOf(targets, caller),
  };
  return {
    name: slug(raw['name'] ?? ''),
    source: raw['source'] ?? '',
    sql: await queryOf(raw, services),
    dbt: dbtOf(raw),
    key: splitMany(raw['key'] ?? ''),
    settings,
    schedule: await at('schedule', async () =>
      parseSchedule(raw['schedule'] ?? '', raw['timeZone'] ?? caller.timeZone),
    ),
  };
}

function platformOf(targets: readonly AlertTarget[], caller: Caller): AlertSettings['platform'] {
  const fixed = targets
    .flatMap((target) => ('to' in target ? [parseTarget(target.to)?.platform] : []))
    .find((platform) => platform !== 'webhook');
  const platform: PlatformId = fixed ?? caller.platform;
  return platform === 'cli' || platform === 'webhook' ? 'local' : platform;
}

/** A name as it is typed in commands: small letters, digits and dashes. */
export function slug(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
}

/** A first message out of the columns: what the row is called, who looks after it, and a few facts. */
export function suggestedText(columns: readonly Column[]): {
  readonly title: string;
  readonly message: string;
} {
  const texts = columns.filter((column) => column.type === 'text').map((column) => column.name);
  const names = columns.map((column) => column.name);
  const called =
    texts.find((name) => /name|title|workspace|account|company|customer/i.test(name)) ??
    texts[0] ??
    names[0] ??
    'row';
  const email = texts.find((name) => /owner.*mail|rep.*mail|mail/i.test(name));
  const facts = names.filter((name) => name !== called && name !== email).slice(0, 4);
  const lines = [
    `${email === undefined ? '' : `${hole(email, ' | mention')} `}*${hole(called)}*`,
    ...facts.map((name) => `${name.replaceAll('_', ' ')}: ${hole(name)}`),
  ];
  return { title: hole(called), message: lines.join('\n') };
}

/** A placeholder for a column; names that are no plain word are written in brackets. */
export function hole(name: string, filters = ''): string {
  return /^[A-Za-z_]\w*$/.test(name)
    ? `{{ ${name}${filters} }}`
    : `{{ row[${JSON.stringify(name)}]${filters} }}`;
}

const firstWords: Readonly<Record<string, string>> = {
  added: 'new',
  changed: 'changed',
  removed: 'gone',
  every: 'all',
  threshold: 'watch',
};

/** A name out of the title's own words, or out of what happens to which table. */
export function suggestedName(raw: Raw): string {
  const words = slug((raw['title'] ?? '').replaceAll(/\{\{.*?\}\}/g, ''));
  const asked = /\bfrom\s+(?:"?\w+"?\.)?"?(\w+)/i.exec(raw['sql'] ?? raw['table'] ?? '')?.[1];
  const table = asked ?? dbtOf(raw)?.split('/')[1] ?? 'rows';
  return words === '' ? slug(`${firstWords[raw['trigger'] ?? 'added'] ?? 'new'}-${table}`) : words;
}
