import { Digest } from '../cards/digest.ts';
import { ActivateError } from '../contracts/errors.ts';
import { formatTarget, type Target } from '../contracts/refs.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { decodeLine } from '../planner/keys.ts';
import type { Outgoing, Sent } from './outbox.ts';
import { withoutReactedKeys } from './quiet.ts';
import { isLoud, rowOf, type Voice } from './voice.ts';

const words = {
  added: 'appeared',
  changed: 'changed',
  removed: 'disappeared',
  threshold: 'crossed the line or came back',
  every: 'in this run',
} as const;

/** Says all loud changes of a run together: one message per place, with a table and a file. */
export async function sendDigest(voice: Voice, burst: boolean): Promise<void> {
  const groups = await collect(voice);
  const sent = await post(voice, groups, burst);
  const unsettled = sent.find((one) => one.state === 'retry' || one.state === 'unknown');
  if (unsettled !== undefined && unsettled.state !== 'ok') {
    // The run stays open and is taken up again: places that heard it already are in the book.
    throw new ActivateError('UNAVAILABLE', `The digest did not reach every place: ${unsettled.reason}`);
  }
  const heard = new Set([...groups.keys()].filter((_, at) => sent[at]?.state === 'ok'));
  for await (const chunk of voice.planned.chunks()) {
    const accepted = new Set<number>();
    for (const [at, entry] of chunk.entries.entries()) {
      const places = isLoud(voice.settings, entry) ? await placesOf(voice, entry) : undefined;
      if (
        places === undefined ||
        places.length === 0 ||
        places.some((place) => heard.has(formatTarget(place)))
      ) {
        accepted.add(at);
      }
    }
    await voice.planned.commit(chunk.seq, accepted.size === chunk.entries.length ? 'all' : accepted);
  }
}

interface Group {
  readonly target: Target;
  readonly digest: Digest;
}

async function collect(voice: Voice): Promise<Map<string, Group>> {
  const groups = new Map<string, Group>();
  for await (const chunk of voice.planned.chunks()) {
    const loud = chunk.entries.filter((entry) => isLoud(voice.settings, entry));
    for (const entry of await withoutReactedKeys(voice, loud)) {
      const line = entry.line ?? entry.previous;
      for (const place of await placesOf(voice, entry)) {
        const name = formatTarget(place);
        const group = groups.get(name) ?? { target: place, digest: new Digest(voice.planned.columns) };
        groups.set(name, group);
        group.digest.add(line === undefined ? [] : decodeLine(line, voice.planned.columns));
      }
    }
  }
  return groups;
}

/** Where a row's part of the digest goes; reasons why it can't are counted. */
async function placesOf(voice: Voice, entry: PlanEntry): Promise<readonly Target[]> {
  const fixed = voice.settings.targets.every((target) => !('column' in target));
  const row = fixed ? {} : rowOf(entry.line ?? entry.previous, voice.planned.columns);
  const places = new Map<string, Target>();
  for (const target of voice.settings.targets) {
    const route = await voice.routes.find(target, row);
    if ('reason' in route) {
      voice.unroutable.add(route.reason);
    } else {
      places.set(formatTarget(route.to), route.to);
    }
  }
  return [...places.values()];
}

async function post(
  voice: Voice,
  groups: ReadonlyMap<string, Group>,
  burst: boolean,
): Promise<readonly Sent[]> {
  const { sync } = voice.planned;
  const about = {
    alert: sync.name,
    title: `${sync.name}: ${burst ? 'many at once' : 'digest'}`,
    what: words[voice.settings.trigger],
    tags: voice.tags,
    burst,
  };
  const messages: Outgoing[] = [...groups.values()].map(({ target, digest }) => {
    const files = digest.files(sync.name);
    const message = { key: '', kind: 'digest', target, card: digest.card(about), live: false };
    return files.length === 0 ? message : { ...message, files };
  });
  const sent = await voice.outbox.send({
    runId: voice.planned.run.id,
    syncId: sync.id,
    messages,
    draw: (card) => card,
    signal: voice.planned.signal,
  });
  for (const one of sent) {
    if (one.state === 'ok') {
      voice.counts.messages += 1;
    } else {
      voice.counts.failed += 1;
      voice.failures.push(one.reason);
    }
  }
  voice.counts.failed += voice.unroutable.size;
  voice.failures.push(...voice.unroutable);
  return sent;
}
