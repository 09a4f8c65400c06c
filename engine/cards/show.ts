import type { Block, Card } from '../contracts/card.ts';
import type { Table } from '../contracts/source.ts';
import { modes } from '../model/alert.ts';
import { type ApprovalPolicy, approvalPolicy, isProtected, policyWords } from '../model/policy.ts';
import { describeSchedule } from '../schedule/cron.ts';
import type { AlertDetail, SyncDetail } from '../services.ts';
import { actions, ago, bold, button, context, count, fields, moment, shorten, text } from './build.ts';
import { editCommands, reasonBlocks } from './failure.ts';
import { summary } from './progress.ts';
import { frameworkWords, syncWords, triggerWords } from './words.ts';

/** How an alert is: one word and a sign. */
export function condition({ sync }: Pick<SyncDetail, 'sync'>, now: Date): string {
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

function policyOf({ policy }: SyncDetail['sync']): ApprovalPolicy {
  return approvalPolicy.parse(policy);
}

/** All about one sync, with what can be done to it. */
export function detailCard(detail: SyncDetail, now: Date): Card {
  return detail.kind === 'alert' ? alertDetailCard(detail, now) : syncDetailCard(detail, now);
}

/** All about one alert, with what can be done to it. */
export function alertDetailCard(alert: AlertDetail, now: Date): Card {
  const { sync, settings } = alert;
  const { name } = sync;
  const quiet = sync.mutedUntil !== null && sync.mutedUntil > now;
  return wholeCard(alert, now, {
    facts: {
      When: triggerWords(alert),
      'Goes to': alert.goesTo.join(', '),
      ...(alert.tags.length > 0 ? { Tags: alert.tags.join(', ') } : {}),
      How: modes[settings.mode],
      ...(isProtected(policyOf(sync)) ? { Approval: policyWords(policyOf(sync)) } : {}),
    },
    actions: [
      actions(
        button('Run now', 'run', { name }, { style: 'primary' }),
        button('Test', 'test', { name }),
        button('Edit', 'edit', { alert: name }),
        sync.state === 'paused' ? button('Resume', 'resume', { name }) : button('Pause', 'pause', { name }),
        button('History', 'history', { name }),
      ),
      actions(
        quiet ? button('Unmute', 'unmute', { name }) : button('Mute', 'mute', { name }),
        button('Delete', 'delete', { name }, { style: 'danger' }),
      ),
    ],
  });
}

function syncDetailCard(detail: Extract<SyncDetail, { kind: 'sync' }>, now: Date): Card {
  const { sync, destination } = detail;
  const { name, framework } = sync;
  const quiet = sync.mutedUntil !== null && sync.mutedUntil > now;
  const muting = quiet ? button('Unmute', 'unmute', { name }) : button('Mute', 'mute', { name });
  return wholeCard(detail, now, {
    facts: {
      Kind: frameworkWords[framework],
      Does: syncWords(sync),
      Approval: policyWords(policyOf(sync)),
      'Goes to': `${destination.name} (${destination.connector})`,
    },
    actions: [
      actions(
        button('Run now', 'run', { name }, { style: 'primary' }),
        button('Preview', 'preview', { name }),
        button('Edit', editCommands[framework], { sync: name }),
        sync.state === 'paused' ? button('Resume', 'resume', { name }) : button('Pause', 'pause', { name }),
        button('History', 'history', { name }),
      ),
      actions(
        button('Approval', 'policy', { name }),
        button('Errors', 'errors', { name }),
        ...(framework === 'mail'
          ? [button('Send test to me', 'test', { name }), muting]
          : [button('Resync', 'resync', { name })]),
        button('Delete', 'delete', { name }, { style: 'danger' }),
      ),
    ],
  });
}

interface Own {
  readonly facts: Readonly<Record<string, string>>;
  readonly actions: readonly Block[];
}

function wholeCard(detail: SyncDetail, now: Date, own: Own): Card {
  const { sync, model, source, lastRun } = detail;
  const blocks: Block[] = [
    fields({
      State: condition(detail, now),
      ...own.facts,
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
          ...reasonBlocks(sync.failure.refusals ?? []),
        ]),
    { type: 'code', text: shorten(model.sql, 1500) },
    context(
      `Source ${source.name} · key ${model.key.join(' / ') || 'none'}${detail.dbt === undefined ? '' : ` · dbt model ${detail.dbt}`}${detail.inside ? ' · compared in the warehouse' : ''}`,
    ),
    ...own.actions,
  ];
  return {
    title: sync.name,
    tone: sync.failingSince === null ? 'neutral' : 'bad',
    blocks,
    fallback: `${sync.name}: ${condition(detail, now)}`,
  };
}

const listed = 15;

/** The syncs and alerts there are, a line each. */
export function listCard(all: readonly SyncDetail[], now: Date): Card {
  if (all.length === 0) {
    return {
      title: 'Nothing here yet',
      blocks: [
        text('Nothing is watched so far. An alert takes a query, a message and a place to say it.'),
        actions(button('New alert', 'new-alert', {}, { style: 'primary' }), button('New sync', 'new-sync')),
      ],
      fallback: 'Nothing here yet. /activate new-alert makes an alert.',
    };
  }
  const blocks = all.slice(0, listed).flatMap((detail): Block[] => {
    const { name } = detail.sync;
    const does = detail.kind === 'alert' ? triggerWords(detail) : syncWords(detail.sync);
    return [
      text(bold(name), ` · ${condition(detail, now)} · ${does} → ${detail.goesTo.join(', ')}`),
      actions(button('Show', 'show', { name }), button('Run now', 'run', { name })),
    ];
  });
  const more =
    all.length > listed ? [context(`${listed} of ${all.length}. /activate show <name> shows any.`)] : [];
  const alerts = all.filter((detail) => detail.kind === 'alert').length;
  const counted = [
    ...(alerts > 0 ? [count(alerts, 'alert')] : []),
    ...(all.length > alerts ? [count(all.length - alerts, 'sync')] : []),
  ].join(' and ');
  return { title: counted, blocks: [...blocks, ...more], fallback: counted };
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
