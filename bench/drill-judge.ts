import type { Told } from './drill-sides.ts';

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
  /** How many messages there are beyond one of each. */
  readonly repeats: number;
  /** Live cards that show an old value. */
  readonly stale: readonly string[];
  /** Messages that nobody asked for. */
  readonly strange: readonly string[];
}

/** Compares what was posted with what the rows ask for. */
export function judge(messages: readonly Told[], expected: ReadonlyMap<number, Expected>): Findings {
  const byName = groupBy(messages, nameOf);
  // In Teams an edited message carries its mark no more.
  const marked = messages.filter(({ mark }) => mark !== '');
  const wanted = new Map<string, string>(
    [...expected].flatMap(([id, { channel }]) =>
      ['alpha', 'beta'].map((alert) => [`${alert}-${id}`, channel] as const),
    ),
  );
  const more = (groups: ReadonlyMap<string, readonly Told[]>): string[] =>
    [...groups].filter(([, posted]) => posted.length > 1).map(([name]) => name);
  return {
    messages: messages.length,
    lost: [...wanted]
      .filter(([name, channel]) => !byName.get(name)?.some((message) => message.channel === channel))
      .map(([name]) => name),
    doubled: [...new Set([...more(byName), ...more(groupBy(marked, ({ mark }) => mark))])],
    repeats: messages.length - byName.size,
    stale: [...expected]
      .map(([id, { amount }]) => ({ name: `beta-${id}`, amount }))
      .filter(({ name, amount }) =>
        byName.get(name)?.some((message) => !message.text.includes(`amount-${amount};`)),
      )
      .map(({ name }) => name),
    strange: [...byName.keys()].filter((name) => !wanted.has(name)),
  };
}

/** The alert and the row that a message speaks of. */
function nameOf({ text }: Told): string {
  return /(alpha|beta)-\d+(?=;)/.exec(text)?.[0] ?? text;
}

function groupBy(
  messages: readonly Told[],
  name: (message: Told) => string,
): ReadonlyMap<string, readonly Told[]> {
  const groups = new Map<string, Told[]>();
  for (const message of messages) {
    const group = groups.get(name(message)) ?? [];
    groups.set(name(message), group);
    group.push(message);
  }
  return groups;
}
