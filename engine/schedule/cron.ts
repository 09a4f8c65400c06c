import { CronExpressionParser } from 'cron-parser';
import cronstrue from 'cronstrue';
import { ActivateError } from '../contracts/errors.ts';

/** When something repeats, in a time zone. */
export interface Schedule {
  /**
   * A cron expression (five fields, or six with seconds first); `after dbt`, whenever dbt has built the model that the
   * query reads; or both, `after dbt or 0 9 * * *`, where the clock stands in for a dbt that did not run.
   */
  readonly cron: string;
  readonly timeZone: string;
}

const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

const help =
  'Say it in words ("every 15 minutes", "daily at 9:00", "weekdays at 8:30", "mondays at 9", "after dbt") or as cron.';

const afterDbt = 'after dbt';

/** What of a schedule goes by dbt, and what by the clock. */
function split(cron: string): { readonly dbt: boolean; readonly clock: string | undefined } {
  const [both, clock] = /^after dbt(?:,? or (.+))?$/i.exec(cron.trim()) ?? [];
  return both === undefined ? { dbt: false, clock: cron } : { dbt: true, clock };
}

/** Whether a run of dbt starts it. */
export function isAfterDbt({ cron }: Pick<Schedule, 'cron'>): boolean {
  return split(cron).dbt;
}

/**
 * Reads a schedule in words or as cron. Throws INPUT_INVALID with a sentence for the person. Steps that cron can't
 * keep even (every 40 minutes would come at :00 and :40, then again at :00) are refused.
 */
export function parseSchedule(text: string, timeZone: string): Schedule {
  checkTimeZone(timeZone);
  const { dbt, clock } = split(text);
  if (dbt) {
    const rest = clock === undefined ? '' : ` or ${parseSchedule(clock, timeZone).cron}`;
    return { cron: `${afterDbt}${rest}`, timeZone };
  }
  const cron = fromWords(text.trim().toLowerCase()) ?? text.trim();
  try {
    CronExpressionParser.parse(cron, { tz: timeZone });
  } catch (cause) {
    throw new ActivateError('INPUT_INVALID', `"${text}" is not a schedule that I understand.`, {
      cause,
      fix: help,
    });
  }
  if (!/^\S+(\s+\S+){4,5}$/.test(cron)) {
    throw new ActivateError('INPUT_INVALID', `"${text}" is not a schedule that I understand.`, { fix: help });
  }
  return { cron, timeZone };
}

function checkTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    throw new ActivateError('INPUT_INVALID', `"${timeZone}" is not a time zone.`, {
      cause,
      fix: 'Use a name such as Europe/Paris, America/New_York or UTC.',
      fields: { timeZone: `"${timeZone}" is not a time zone. Use a name such as Europe/Paris or UTC.` },
    });
  }
}

function fromWords(text: string): string | undefined {
  return fromStep(text) ?? fromClock(text);
}

function fromStep(text: string): string | undefined {
  const plain: Record<string, string> = {
    hourly: '0 * * * *',
    'every hour': '0 * * * *',
    'every minute': '* * * * *',
  };
  if (plain[text] !== undefined) {
    return plain[text];
  }
  const match = /^every (\d+) (second|minute|hour)s?$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const every = Number(match[1]);
  const unit = match[2] as 'second' | 'minute' | 'hour';
  const whole = unit === 'hour' ? 24 : 60;
  if (every === 0 || whole % every !== 0) {
    const even = Array.from({ length: whole }, (_, i) => i + 1).filter((n) => whole % n === 0);
    const nearest = even.reduce((best, n) => (Math.abs(n - every) < Math.abs(best - every) ? n : best));
    throw new ActivateError(
      'INPUT_INVALID',
      `Every ${every} ${unit}s does not divide ${unit === 'hour' ? 'a day' : `${unit === 'minute' ? 'an hour' : 'a minute'}`} evenly.`,
      {
        fix: `Use every ${nearest} ${unit}s, or a cron expression.`,
      },
    );
  }
  const step = every === 1 ? '*' : every === whole ? '0' : `*/${every}`;
  return { second: `${step} * * * * *`, minute: `${step} * * * *`, hour: `0 ${step} * * *` }[unit];
}

function fromClock(text: string): string | undefined {
  const match =
    /^(?:every )?(day|daily|weekdays?|weekends?|(?:\w+day)s?)(?: at (\d{1,2})(?::(\d{2}))?\s*(am|pm)?)?$/.exec(
      text,
    );
  if (match === null) {
    return undefined;
  }
  const [, when = '', hourText = '9', minuteText = '0', half] = match;
  const hour = (Number(hourText) % (half === undefined ? 24 : 12)) + (half === 'pm' ? 12 : 0);
  if (Number(hourText) > 23 || Number(minuteText) > 59) {
    return undefined;
  }
  const day = days.indexOf(when.replace(/s$/, ''));
  const on = when.startsWith('weekday')
    ? '1-5'
    : when.startsWith('weekend')
      ? '0,6'
      : day >= 0
        ? String(day)
        : undefined;
  if (on === undefined && when !== 'day' && when !== 'daily') {
    return undefined;
  }
  return `${Number(minuteText)} ${hour} * * ${on ?? '*'}`;
}

/** The schedule as a person says it: "At 09:00 AM, Monday through Friday (Europe/Paris)". */
export function describeSchedule(schedule: Schedule): string {
  const { dbt, clock } = split(schedule.cron);
  if (dbt) {
    const other = clock === undefined ? '' : describeSchedule({ ...schedule, cron: clock });
    const or = other === '' ? '' : `; without one: ${other.charAt(0).toLowerCase()}${other.slice(1)}`;
    return `After each run of dbt that builds its model${or}`;
  }
  const words = cronstrue.toString(schedule.cron, { use24HourTimeFormat: true, verbose: false });
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} (${schedule.timeZone})`;
}

const parsed = new Map<string, ReturnType<typeof CronExpressionParser.parse>>();

/** The first tick after `from`; undefined where dbt alone says when. Parsing is kept per pattern: ten thousand syncs share a handful. */
export function nextRun(schedule: Schedule, from: Date): Date | undefined {
  const { clock } = split(schedule.cron);
  if (clock === undefined) {
    return undefined;
  }
  const name = `${clock}\n${schedule.timeZone}`;
  let expression = parsed.get(name);
  if (expression === undefined) {
    expression = CronExpressionParser.parse(clock, { tz: schedule.timeZone });
    parsed.set(name, expression);
    if (parsed.size > 10_000) {
      parsed.clear();
    }
  }
  expression.reset(from);
  return expression.next().toDate();
}

/** The next `count` ticks after `from`; none where dbt alone says when. */
export function nextRuns(schedule: Schedule, from: Date, count: number): readonly Date[] {
  const runs: Date[] = [];
  for (
    let at = nextRun(schedule, from);
    at !== undefined && runs.length < count;
    at = nextRun(schedule, at)
  ) {
    runs.push(at);
  }
  return runs;
}
