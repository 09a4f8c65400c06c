import type { Inline } from '../contracts/card.ts';
import type { Sender } from '../contracts/chat.ts';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import { type PlatformId, parseTarget } from '../contracts/refs.ts';
import { Announcer } from '../messages/announcer.ts';
import { sendDigest } from '../messages/digests.ts';
import { Roster } from '../messages/mentions.ts';
import type { Outbox } from '../messages/outbox.ts';
import { withoutReactedKeys } from '../messages/quiet.ts';
import { Routes } from '../messages/routes.ts';
import { AlertText } from '../messages/text.ts';
import { Underway } from '../messages/underway.ts';
import { isLoud, loudCount, type Voice } from '../messages/voice.ts';
import { type AlertSettings, alertSettings } from '../model/alert.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import type { Model } from '../store/models.ts';
import type { People } from '../store/people.ts';
import type { RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { ChangeChunk, Framework, PlannedRun, PlanRequest } from './framework.ts';

export interface NotifyParts {
  readonly db: Db;
  readonly senders: ReadonlyMap<PlatformId, Sender>;
  readonly outbox: Outbox;
  readonly people: People;
}

/** Rows become messages: a card each, an edited card per row, or a digest. */
export function createNotify(parts: NotifyParts): Framework {
  return {
    id: 'notify',
    request: (sync, model) => planRequest(settingsOf(sync), model),
    objection: () => undefined,
    deliver: (planned) => deliver(parts, planned),
  };
}

/** The settings of an alert; they were checked when it was saved. */
export function settingsOf(sync: Sync): AlertSettings {
  return alertSettings.parse(sync.settings);
}

/** What has to be read: the key, and what message, targets and trigger look at. */
function planRequest(settings: AlertSettings, model: Model): PlanRequest {
  const { trigger, watch } = settings;
  const silentFirst = settings.silentFirst && trigger !== 'threshold' && trigger !== 'every';
  if (trigger === 'threshold' && settings.threshold?.on === 'count') {
    return {
      columns: ['rows', 'count'],
      watched: [],
      kind: 'difference',
      threshold: settings.threshold,
      silentFirst,
    };
  }
  const all = model.columns.map((column) => column.name);
  const text = new AlertText(settings, model);
  const named = settings.targets.flatMap((target) => ('column' in target ? [target.column] : []));
  const value = settings.threshold?.column === undefined ? [] : [settings.threshold.column];
  const used = [...text.columns, ...named, ...watch, ...value];
  const whole =
    trigger === 'every' || settings.mode === 'digest' || (trigger === 'changed' && watch.length === 0);
  const columns = [...new Set([...model.key, ...(whole ? all : used)])];
  const shared = { columns, silentFirst, kind: trigger === 'every' ? 'everything' : 'difference' } as const;
  if (trigger === 'threshold') {
    return {
      ...shared,
      watched: [],
      ...(settings.threshold === undefined ? {} : { threshold: settings.threshold }),
    };
  }
  return trigger === 'changed' && watch.length > 0 ? { ...shared, watched: watch } : shared;
}

async function deliver(parts: NotifyParts, planned: PlannedRun): Promise<RunCounts> {
  const settings = settingsOf(planned.sync);
  const sender = parts.senders.get(settings.platform);
  if (sender === undefined) {
    throw new ActivateError(
      'CONFIG_INVALID',
      `This alert speaks on ${settings.platform}, which is not set up here.`,
      {
        fix: `Set ${settings.platform} up, or edit the alert.`,
      },
    );
  }
  const roster = new Roster(sender);
  const voice: Voice = {
    db: parts.db,
    outbox: parts.outbox,
    planned,
    settings,
    text: new AlertText(settings, planned.model),
    roster,
    routes: new Routes(sender, roster),
    tags: await tagged(settings, parts),
    counts: { messages: 0, failed: 0, quiet: 0 },
    failures: [],
    unroutable: new Set(),
  };
  await say(voice);
  return {
    ...voice.counts,
    reasons: top(voice.failures),
    ...(roster.unknown.size > 0 ? { unknownPeople: [...roster.unknown].slice(0, 20) } : {}),
  };
}

async function say(voice: Voice): Promise<void> {
  const { planned, settings } = voice;
  const loud = loudCount(settings, planned.counts);
  if (planned.sync.mutedUntil !== null && planned.sync.mutedUntil > planned.now()) {
    await commitQuietly(voice);
  } else if (settings.mode === 'digest' || settings.trigger === 'every') {
    await sendDigest(voice, false);
  } else if (loud > settings.burst) {
    await sendDigest(voice, true);
  } else {
    await announceAll(voice);
  }
}

async function tagged(settings: AlertSettings, parts: NotifyParts): Promise<readonly Inline[]> {
  const tags: Inline[] = [];
  for (const tag of settings.tag) {
    const person = parseTarget(tag);
    if (person?.kind === 'person') {
      const here =
        person.platform === settings.platform
          ? person
          : await parts.people.elsewhere(person, settings.platform);
      const profile = await parts.senders.get(person.platform)?.profile(person);
      const name = profile?.name ?? person.id;
      tags.push(here === undefined ? { type: 'mention', name } : { type: 'mention', name, person: here });
    }
  }
  return tags;
}

async function commitQuietly(voice: Voice): Promise<void> {
  for await (const chunk of voice.planned.chunks()) {
    voice.counts.quiet += chunk.entries.filter((entry) => isLoud(voice.settings, entry)).length;
    await voice.planned.commit(chunk.seq, 'all');
  }
}

const rowsAtOnce = 200;
const groupsAtOnce = 3;

/**
 * Speaks of the changes in groups. While one is posted, the next is composed and written to the book, and the one
 * before is settled: neither the chat nor the database waits for the other.
 */
async function announceAll(voice: Voice): Promise<void> {
  const announcer = new Announcer(voice);
  const telling = new Underway(groupsAtOnce);
  const committing = new Underway(1);
  try {
    for await (const chunk of voice.planned.chunks()) {
      const refused = new Set<number>();
      const told: Promise<void>[] = [];
      for (const group of groupsOf(voice, chunk)) {
        await telling.room();
        const heard = await withoutReactedKeys(voice, group);
        const prepared = await announcer.prepare(heard);
        told.push(
          telling.add(async () => {
            const accepted = await announcer.tell(prepared);
            for (const entry of heard.filter((_, at) => accepted[at] === false)) {
              refused.add(chunk.entries.indexOf(entry));
            }
          }),
        );
      }
      await committing.room();
      const accepted = (): ReadonlySet<number> | 'all' =>
        refused.size === 0 ? 'all' : without(chunk.entries.length, refused);
      void committing.add(async () => {
        await Promise.all(told);
        await voice.planned.commit(chunk.seq, accepted());
      });
    }
    await committing.done();
  } finally {
    // Whatever failed, nothing may be said any more once this is over.
    await telling.idle();
    await committing.idle();
  }
}

function groupsOf(voice: Voice, { entries }: ChangeChunk): readonly (readonly PlanEntry[])[] {
  const { settings } = voice;
  const speak = entries.filter(
    (entry) => isLoud(settings, entry) || (settings.mode === 'card' && !entry.silent),
  );
  return Array.from({ length: Math.ceil(speak.length / rowsAtOnce) }, (_, at) =>
    speak.slice(at * rowsAtOnce, (at + 1) * rowsAtOnce),
  );
}

/** The most frequent reasons, a few. */
function top(reasons: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 5)
    .map(([reason]) => reason);
}

function without(length: number, refused: ReadonlySet<number>): ReadonlySet<number> {
  return new Set(Array.from({ length }, (_, at) => at).filter((at) => !refused.has(at)));
}
