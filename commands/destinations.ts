import { actions, bold, button, context, count, text } from '../engine/cards/build.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Connector } from '../engine/contracts/connector.ts';
import { defineCommand } from './define.ts';

export const destinations = defineCommand({
  name: 'destinations',
  title: 'Destinations',
  summary: 'Lists where rows can be sent, and what uses it.',
  example: '/activate destinations',
  access: 'viewer',
  fields: {},
  run: async (_input, _caller, services) => {
    const [all, syncs] = await Promise.all([services.destinations.list(), services.syncs.list()]);
    const now = services.now();
    const blocks = all.flatMap(({ record, connector }): Block[] => {
      const users = syncs.flatMap((detail) =>
        detail.kind === 'sync' && detail.destination.name === record.name ? [detail.sync.name] : [],
      );
      const ends = endingSoon(connector, now);
      return [
        text(
          bold(record.name),
          ` · ${connector.name} · ${users.length === 0 ? 'used by nothing yet' : users.join(', ')}`,
        ),
        context(`Takes ${takenBy(connector).join(', ')}`),
        ...(ends === undefined ? [] : [text('⚠️ ', ends)]),
      ];
    });
    const title = all.length === 0 ? 'No destinations yet' : count(all.length, 'destination');
    const card = {
      title,
      blocks: [
        ...(all.length === 0 ? [text('Connect the tool that rows are to go to.')] : blocks),
        actions(button('Connect', 'connect', {}, { style: 'primary' })),
      ],
      fallback: title,
    };
    return { kind: 'card', to: 'caller', card };
  },
});

const words: Readonly<Record<string, string>> = {
  objects: 'records',
  events: 'events',
  audiences: 'audiences',
  files: 'exports',
  tasks: 'tasks',
  notify: 'messages of alerts',
  mail: 'mail to customers',
};

/** What can be made with a destination, as people call it. */
function takenBy({ offers }: Connector): readonly string[] {
  return offers.flatMap((part) => words[part] ?? []);
}

const soonMs = 120 * 86_400_000;

/** A sentence when the far side's interface ends soon, or has ended. */
function endingSoon({ api, name }: Connector, now: Date): string | undefined {
  const ends = api?.endsOn === undefined ? undefined : new Date(`${api.endsOn}T00:00:00Z`);
  if (ends === undefined || ends.getTime() - now.getTime() > soonMs) {
    return undefined;
  }
  return ends < now
    ? `${name} ended version ${api?.version} of its interface on ${api?.endsOn}: update Activate.`
    : `${name} ends version ${api?.version} of its interface on ${api?.endsOn}: update Activate before.`;
}
