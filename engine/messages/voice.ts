import type { Inline } from '../contracts/card.ts';
import type { Db } from '../contracts/db.ts';
import type { PlannedRun } from '../frameworks/framework.ts';
import type { AlertSettings } from '../model/alert.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { decodeLine } from '../planner/keys.ts';
import type { RowText } from '../template/template.ts';
import type { Roster } from './mentions.ts';
import type { Outbox } from './outbox.ts';
import type { Routes } from './routes.ts';
import type { AlertText } from './text.ts';

/** Everything that saying things takes, during one run. */
export interface Voice {
  readonly db: Db;
  readonly outbox: Outbox;
  readonly planned: PlannedRun;
  readonly settings: AlertSettings;
  readonly text: AlertText;
  readonly roster: Roster;
  readonly routes: Routes;
  readonly tags: readonly Inline[];
  readonly counts: { messages: number; failed: number; quiet: number };
  /** Why messages did not get through, in sentences. */
  readonly failures: string[];
  /** Reasons why rows of a digest could go nowhere. */
  readonly unroutable: Set<string>;
}

/** Whether a change is worth a message under this trigger, answers about its row aside. */
export function isLoud(settings: AlertSettings, entry: PlanEntry): boolean {
  if (entry.silent) {
    return false;
  }
  switch (settings.trigger) {
    case 'every':
      return entry.kind === 'added';
    case 'threshold':
      return entry.kind === 'added' || entry.kind === 'removed';
    case 'added':
    case 'changed':
    case 'removed':
      return entry.kind === settings.trigger;
    default:
      return settings.trigger satisfies never;
  }
}

/** How many changes of a plan are loud, from its counts alone. */
export function loudCount(settings: AlertSettings, counts: PlannedRun['counts']): number {
  switch (settings.trigger) {
    case 'every':
      return counts.added;
    case 'threshold':
      return counts.added + counts.removed;
    case 'added':
    case 'changed':
    case 'removed':
      return counts[settings.trigger];
    default:
      return settings.trigger satisfies never;
  }
}

/** A line of the plan by column name; empty when there is no line. */
export function rowOf(line: Uint8Array | undefined, columns: readonly string[]): RowText {
  if (line === undefined) {
    return {};
  }
  const values = decodeLine(line, columns);
  return Object.fromEntries(columns.map((name, at) => [name, values[at] ?? null]));
}
