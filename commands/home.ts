import { actions, ago, bold, button, context, count, text } from '../engine/cards/build.ts';
import { holdLine } from '../engine/cards/hold.ts';
import { condition } from '../engine/cards/show.ts';
import type { Block } from '../engine/contracts/card.ts';
import { defineCommand } from './define.ts';

const listed = 10;

export const home = defineCommand({
  name: 'home',
  title: 'Home',
  summary: 'Shows your alerts, what fails, and what you left half done.',
  example: '/activate home',
  access: 'viewer',
  fields: {},
  run: async (_input, caller, services) => {
    const now = services.now();
    const [alerts, drafts, sources, { mine: waiting }] = await Promise.all([
      services.syncs.list(),
      services.drafts.mine(caller),
      services.sources.list(),
      services.approvals.waiting(caller),
    ]);
    const failing = alerts.filter(({ sync }) => sync.failingSince !== null);
    const mine = alerts.filter(({ sync }) => sync.createdBy === Number(caller.id));
    const start =
      sources.length === 0
        ? button('Connect a warehouse', 'connect', {}, { style: 'primary' })
        : button('New alert', 'new-alert', {}, { style: 'primary' });
    const blocks: Block[] = [
      text(`Hello ${caller.name}. I watch your warehouse and tell the right person at the right moment.`),
      actions(start, button('All alerts', 'list'), button('Approvals', 'approvals'), button('Help', 'help')),
      ...section('Waits for you', waiting.slice(0, listed).map(holdLine)),
      ...section(
        'Needs a look',
        failing.map(({ sync }) => [
          text('🔴 ', bold(sync.name), ` · ${sync.failure?.message ?? ''}`),
          actions(button('Show', 'show', { name: sync.name }), button('Retry', 'retry', { name: sync.name })),
        ]),
      ),
      ...section(
        'Half done',
        drafts.map((draft) => [
          text(
            `${draft.command}: ${draft.answers['name'] ?? draft.answers['sql']?.slice(0, 60) ?? 'just begun'} · ${ago(draft.updatedAt, now)}`,
          ),
          actions(button('Resume draft', 'draft', { id: String(draft.id) })),
        ]),
      ),
      ...section(
        'Mine',
        mine
          .slice(0, listed)
          .map((alert) => [
            text(bold(alert.sync.name), ` · ${condition(alert, now)}`),
            actions(button('Show', 'show', { name: alert.sync.name })),
          ]),
      ),
      ...(mine.length > listed ? [context(`${listed} of ${mine.length}`)] : []),
    ];
    const fallback = `${count(alerts.length, 'alert')}, ${failing.length} failing`;
    return { kind: 'card', to: 'caller', card: { title: 'Activate', blocks, fallback } };
  },
});

function section(title: string, items: readonly (readonly Block[])[]): readonly Block[] {
  return items.length === 0 ? [] : [{ type: 'divider' }, { type: 'heading', text: title }, ...items.flat()];
}
