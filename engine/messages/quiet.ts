import type { PlanEntry } from '../planner/chunks.ts';
import { reactionsTo } from '../store/reactions.ts';
import type { Voice } from './voice.ts';

/** The changes that may be spoken of: those of rows that somebody snoozed or set aside are counted and left out. */
export async function withoutReactedKeys(
  voice: Voice,
  entries: readonly PlanEntry[],
): Promise<readonly PlanEntry[]> {
  const keys = entries.map((entry) => entry.key);
  const reactions = await reactionsTo(voice.db, voice.planned.sync.id, keys, voice.planned.now());
  const quiet = new Set(
    reactions.filter((reaction) => reaction.answer !== 'claim').map((reaction) => reaction.key),
  );
  // A live card whose row leaves is closed all the same: an edit disturbs nobody.
  const heard = entries.filter(
    (entry) => !quiet.has(entry.key) || (entry.kind === 'removed' && voice.settings.mode === 'card'),
  );
  voice.counts.quiet += entries.length - heard.length;
  return heard;
}
