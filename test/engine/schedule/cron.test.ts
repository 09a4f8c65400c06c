import { describe, expect, it } from 'vitest';
import { describeSchedule, nextRuns, parseSchedule } from '../../../engine/schedule/cron.ts';

describe('schedules in words', () => {
  it.each([
    ['every 15 minutes', '*/15 * * * *'],
    ['Every minute', '* * * * *'],
    ['every 10 seconds', '*/10 * * * * *'],
    ['hourly', '0 * * * *'],
    ['every 6 hours', '0 */6 * * *'],
    ['daily at 9', '0 9 * * *'],
    ['every day at 17:45', '45 17 * * *'],
    ['weekdays at 8:30', '30 8 * * 1-5'],
    ['mondays at 9pm', '0 21 * * 1'],
    ['every friday', '0 9 * * 5'],
    ['daily at 12am', '0 0 * * *'],
    ['5 4 * * 0', '5 4 * * 0'],
  ])('reads %s', (words, cron) => {
    expect(parseSchedule(words, 'UTC').cron).toBe(cron);
  });

  it('refuses a step that would drift at the hour, and says what works', () => {
    expect(() => parseSchedule('every 40 minutes', 'UTC')).toThrow(/does not divide an hour evenly/);
  });

  it.each(['', 'whenever', '* * *', '61 * * * *', 'daily at 25:00', '@reboot now'])('refuses %j', (words) => {
    expect(() => parseSchedule(words, 'UTC')).toThrow(/is not a schedule/);
  });

  it('refuses a time zone that there is not', () => {
    expect(() => parseSchedule('hourly', 'Mars/Olympus')).toThrow(/"Mars\/Olympus" is not a time zone/);
  });

  it('says a schedule in words', () => {
    expect(describeSchedule({ cron: '30 8 * * 1-5', timeZone: 'Europe/Paris' })).toBe(
      'At 08:30, Monday through Friday (Europe/Paris)',
    );
  });
});

describe('ticks', () => {
  it('keeps the wall clock over a change to summer time, and skips an hour that there is not', () => {
    const daily = parseSchedule('daily at 9', 'Europe/Paris');
    const [saturday, sunday] = nextRuns(daily, new Date('2026-03-28T00:00:00Z'), 2);

    expect([saturday?.toISOString(), sunday?.toISOString()]).toEqual([
      '2026-03-28T08:00:00.000Z',
      '2026-03-29T07:00:00.000Z',
    ]);
  });

  it('goes on after the clock was put back', () => {
    const hourly = parseSchedule('hourly', 'UTC');
    nextRuns(hourly, new Date('2026-05-01T10:30:00Z'), 3);

    expect(nextRuns(hourly, new Date('2026-05-01T08:30:00Z'), 1)[0]?.toISOString()).toBe(
      '2026-05-01T09:00:00.000Z',
    );
  });
});

describe('a schedule that goes by dbt', () => {
  it.each([
    ['after dbt', 'after dbt'],
    ['After dbt or every hour', 'after dbt or 0 * * * *'],
    ['after dbt, or daily at 9', 'after dbt or 0 9 * * *'],
    ['after dbt or 0 9 * * *', 'after dbt or 0 9 * * *'],
  ])('is read from %s', (words, cron) => {
    expect(parseSchedule(words, 'UTC')).toEqual({ cron, timeZone: 'UTC' });
  });

  it.each(['after dbt or', 'after dbt or whenever', 'after dbtx', 'dbt'])('is not read from %j', (words) => {
    expect(() => parseSchedule(words, 'UTC')).toThrow(/is not a schedule/);
  });

  it('says what starts it, and has ticks only where a clock stands in', () => {
    const alone = parseSchedule('after dbt', 'UTC');
    const both = parseSchedule('after dbt or daily at 9', 'Europe/Paris');
    const from = new Date('2026-03-01T12:00:00Z');

    expect(describeSchedule(alone)).toBe('After each run of dbt that builds its model');
    expect(describeSchedule(both)).toBe(
      'After each run of dbt that builds its model; without one: at 09:00 (Europe/Paris)',
    );
    expect(nextRuns(alone, from, 3)).toEqual([]);
    expect(nextRuns(both, from, 1)).toEqual([new Date('2026-03-02T08:00:00Z')]);
  });
});
