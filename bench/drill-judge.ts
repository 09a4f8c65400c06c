import { markOf } from '../test/fakes/slack/wire.ts';
import type { Posted } from '../test/fakes/slack.ts';

/** Where a row's messages belong, and what its live card must show in the end. */
export interface Expected {
  readonly channel: string;
  readonly amount: number;
}

export interface Findings {
  readonly messages: number;
  /** Messages that should be there and are not, or not where they belong. */
  readonly lost: readonly string[];
  /** Messages that are there more than once, by mark or by row. */
  readonly doubled: readonly string[];
  /** Live cards that show an old value. */
  readonly stale: readonly string[];
  /** Messages that nobody asked for. */
  readonly strange: readonly string[];
}

/** Compares what was posted with what the rows ask for. */
export function judge(messages: readonly Posted[], expected: ReadonlyMap<number, Expected>): Findings {
  const byName = groupBy(messages, nameOf);
  const wanted = new Map<string, string>(
    [...expected].flatMap(([id, { channel }]) =>
      ['alpha', 'beta'].map((alert) => [`${alert}-${id}`, channel] as const),
    ),
  );
  const more = (groups: ReadonlyMap<string, readonly Posted[]>): string[] =>
    [...groups].filter(([, posted]) => posted.length > 1).map(([name]) => name);
  return {
    messages: messages.length,
    lost: [...wanted]
      .filter(([name, channel]) => !byName.get(name)?.some((message) => message.channel === channel))
      .map(([name]) => name),
    doubled: [
      ...new Set([...more(byName), ...more(groupBy(messages, (message) => String(markOf(message))))]),
    ],
    stale: [...expected]
      .map(([id, { amount }]) => ({ name: `beta-${id}`, amount }))
      .filter(({ name, amount }) =>
        byName.get(name)?.some((message) => !JSON.stringify(message.blocks).includes(`amount-${amount};`)),
      )
      .map(({ name }) => name),
    strange: [...byName.keys()].filter((name) => !wanted.has(name)),
  };
}

/** The alert and the row that a message speaks of. */
function nameOf(message: Posted): string {
  return /(alpha|beta)-\d+(?=;)/.exec(JSON.stringify(message.blocks))?.[0] ?? message.text;
}

function groupBy(
  messages: readonly Posted[],
  name: (message: Posted) => string,
): ReadonlyMap<string, readonly Posted[]> {
  const groups = new Map<string, Posted[]>();
  for (const message of messages) {
    const group = groups.get(name(message)) ?? [];
    groups.set(name(message), group);
    group.push(message);
  }
  return groups;
}
