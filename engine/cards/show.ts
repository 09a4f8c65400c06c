import type { Block, Card } from '../contracts/card.ts';
import type { Table } from '../contracts/source.ts';
import { modes, triggers } from '../model/alert.ts';
import { describeSchedule } from '../schedule/cron.ts';
import type { AlertDetail } from '../services.ts';
import { actions, ago, bold, button, context, count, fields, moment, shorten, text } from './build.ts';
import { summary } from './progress.ts';

/** How an alert is: one word and a sign. */
export function condition({ sync }: Pick<AlertDetail, 'sync'>, now: Date): string {
  if (sync.state === 'paused') {
    return '⏸ paused';
  }
  if (sync.failingSince !== null) {
    return `🔴 failing since ${moment(sync.failingSince, sync.timeZone)}`;
  }
  return sync.mutedUntil !== null && sync.mutedUntil > now
    ? `🔕 muted until ${moment(sync.mutedUntil, sync.timeZone)}`
    : '🟢 on';
}

/** What triggers an alert, in words. */
export function triggerWords({ settings }: Pick<AlertDetail, 'settings'>): string {
  const { threshold, trigger, watch } = settings;
  if (trigger === 'threshold' && threshold !== undefined) {
    const what = threshold.on === 'count' ? 'the number of rows' : (threshold.column ?? 'the value');
    const tests = {
      above: `is above ${threshold.limit}`,
      below: `is below ${threshold.limit}`,
      moved: `moves by more than ${threshold.limit} %`,
      unusual: `is ${threshold.limit} standard deviations off its usual range`,
    };
    return `${what} ${tests[threshold.test]}`;
  }
  return trigger === 'changed' && watch.length > 0
    ? `${watch.join(', ')} changes`
    : triggers[trigger].toLowerCase();
}

/** All about one alert, with what can be done to it. */
export function alertDetailCard(alert: AlertDetail, now: Date): Card {
  const { sync, model, source, settings, lastRun } = alert;
  const { name } = sync;
  const quiet = sync.mutedUntil !== null && sync.mutedUntil > now;
  const blocks: Block[] = [
    fields({
      State: condition(alert, now),
      When: triggerWords(alert),
      'Goes to': alert.goesTo.join(', '),
      ...(alert.tags.length > 0 ? { Tags: alert.tags.join(', ') } : {}),
      How: modes[settings.mode],
      Checks: describeSchedule(sync),
      ...(sync.nextDueAt === null ? {} : { Next: moment(sync.nextDueAt, sync.timeZone) }),
      'Last run':
        lastRun === undefined
          ? 'none yet'
          : `${ago(lastRun.finishedAt ?? now, now)}: ${shorten(summary(lastRun), 150)}`,
    }),
    ...(sync.failure === null
      ? []
      : [
          text(
            '🔴 ',
            sync.failure.message,
            ...(sync.failure.fix === undefined ? [] : [` ${sync.failure.fix}`]),
          ),
        ]),
    { type: 'code', text: shorten(model.sql, 1500) },
    context(`Source ${source.name} · key ${model.key.join(' / ') || 'none: one row'}`),
    actions(
      button('Run now', 'run', { name }, { style: 'primary' }),
      button('Test', 'test', { name }),
      button('Edit', 'edit', { name }),
      sync.state === 'paused' ? button('Resume', 'resume', { name }) : button('Pause', 'pause', { name }),
      button('History', 'history', { name }),
    ),
    actions(
      quiet ? button('Unmute', 'unmute', { name }) : button('Mute', 'mute', { name }),
      button('Delete', 'delete', { name }, { style: 'danger' }),
    ),
  ];
  return {
    title: name,
    tone: sync.failingSince === null ? 'neutral' : 'bad',
    blocks,
    fallback: `${name}: ${condition(alert, now)}`,
  };
}

const listed = 15;

/** The alerts there are, a line each. */
export function listCard(alerts: readonly AlertDetail[], now: Date): Card {
  if (alerts.length === 0) {
    return {
      title: 'No alerts yet',
      blocks: [
        text('Nothing is watched so far. An alert takes a query, a message and a place to say it.'),
        actions(button('New alert', 'new-alert', {}, { style: 'primary' })),
      ],
      fallback: 'No alerts yet. /activate new-alert makes one.',
    };
  }
  const blocks = alerts
    .slice(0, listed)
    .flatMap((alert): Block[] => [
      text(
        bold(alert.sync.name),
        ` · ${condition(alert, now)} · ${triggerWords(alert)} → ${alert.goesTo.join(', ')}`,
      ),
      actions(
        button('Show', 'show', { name: alert.sync.name }),
        button('Run now', 'run', { name: alert.sync.name }),
      ),
    ]);
  const more =
    alerts.length > listed
      ? [context(`${listed} of ${alerts.length}. /activate show <name> shows any.`)]
      : [];
  return {
    title: count(alerts.length, 'alert'),
    blocks: [...blocks, ...more],
    fallback: `${count(alerts.length, 'alert')}`,
  };
}

/** Rows of a query for people to look at, NULL told from empty. */
export function tableBlock(table: Table, total: number): Block {
  return {
    type: 'table',
    columns: table.columns.map((column) => column.name),
    rows: table.rows.map((row) => row.map((value) => (value === null ? '∅' : shorten(value, 80)))),
    total,
  };
}
