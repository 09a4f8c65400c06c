import { masked } from '../personal/mask.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import type { NewRejection } from '../store/rejections.ts';
import type { RunCounts } from '../store/runs.ts';
import type { RowMask } from './rows.ts';

/** Rejections kept one by one in one run; all are counted. */
const mostKept = 10_000;

/** What has to be written down of a part of a run. */
export interface Noted {
  readonly rejections: readonly NewRejection[];
  readonly skipped: readonly string[];
  readonly counts: RunCounts;
}

/** What came of a run so far. */
export class Tally {
  private readonly mask: RowMask;
  private readonly toSkip: ReadonlyMap<string, Buffer | null>;
  private readonly done = new Map<string, number>();
  private readonly reasons = new Map<string, { count: number; example: string }>();
  private rejections: NewRejection[] = [];
  private skippedKeys: string[] = [];
  private readonly remarks: Set<string>;
  private kept = 0;
  private refused: number;
  private skipped: number;

  /** `before` is what an interrupted attempt of the same run came to. */
  constructor(mask: RowMask, toSkip: ReadonlyMap<string, Buffer | null>, before: RunCounts) {
    this.mask = mask;
    this.toSkip = toSkip;
    this.refused = before.failed ?? 0;
    this.skipped = before.skipped ?? 0;
    this.remarks = new Set(before.remarks);
    for (const [word, count] of Object.entries(before.done ?? {})) {
      this.done.set(word, count);
    }
    for (const { reason, count, example } of before.refusals ?? []) {
      this.reasons.set(reason, { count, example });
    }
  }

  /** Whether a person said to leave this row out, and it is still as it was then. */
  isToSkip(entry: PlanEntry): boolean {
    const line = this.toSkip.get(entry.key);
    return line !== undefined && lineOf(entry)?.equals(line ?? Buffer.alloc(0)) === true;
  }

  /** Whether rows have to be looked at one by one. */
  get skips(): boolean {
    return this.toSkip.size > 0;
  }

  did(word: string, times = 1): void {
    this.done.set(word, (this.done.get(word) ?? 0) + times);
  }

  /** Something was done otherwise than asked. */
  remark(sentence: string): void {
    if (this.remarks.size < 5) {
      this.remarks.add(masked(sentence));
    }
  }

  skip(entry: PlanEntry): void {
    this.skipped += 1;
    this.skippedKeys.push(entry.key);
  }

  refuse(
    entry: PlanEntry,
    { reason, field, operation }: { reason: string; field: string | null; operation: string },
  ): void {
    this.refused += 1;
    const said = this.mask.text(reason, entry);
    const known = this.reasons.get(said);
    if (known !== undefined) {
      known.count += 1;
    } else if (this.reasons.size < 1000) {
      this.reasons.set(said, { count: 1, example: this.mask.key(entry.key) });
    }
    if (this.kept < mostKept) {
      this.kept += 1;
      this.rejections.push({ key: entry.key, reason, field, operation, line: lineOf(entry) ?? null });
    }
  }

  /** What has come up since the last time, to be written down; the counts are of the whole run so far. */
  take(): Noted {
    const noted = { rejections: this.rejections, skipped: this.skippedKeys, counts: this.counts() };
    this.rejections = [];
    this.skippedKeys = [];
    return noted;
  }

  counts(): RunCounts {
    const top = [...this.reasons].sort((a, b) => b[1].count - a[1].count).slice(0, 5);
    return {
      done: Object.fromEntries(this.done),
      failed: this.refused,
      ...(this.skipped > 0 ? { skipped: this.skipped } : {}),
      ...(this.remarks.size > 0 ? { remarks: [...this.remarks] } : {}),
      refusals: top.map(([reason, { count, example }]) => ({ reason, count, example })),
    };
  }
}

function lineOf(entry: PlanEntry): Buffer | undefined {
  return entry.line ?? entry.previous;
}
