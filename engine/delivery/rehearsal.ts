import type { Refused } from '../mapping/convert.ts';
import type { Row } from '../personal/mask.ts';

/** Something that would be handed over. */
export interface Rehearsed {
  /** What it would count as: "written", "added to the list". */
  readonly word: string;
  readonly key: string;
  /** As the destination would get it. */
  readonly item: unknown;
  /** The rows that it was made of, as far as it shows them. */
  readonly rows: readonly Row[];
}

const shown = 20;

/** Collects what a run would do, in place of doing it. Nothing is handed over and nothing is written down. */
export class Rehearsal {
  readonly done = new Map<string, number>();
  readonly sample: Rehearsed[] = [];
  readonly refusals = new Map<string, { count: number; example: string }>();

  /** `rows` is asked for only when the step is among those that are shown. */
  would(step: Omit<Rehearsed, 'rows'>, rows: () => readonly Row[]): void {
    this.done.set(step.word, (this.done.get(step.word) ?? 0) + 1);
    const alike = this.sample.filter((one) => one.word === step.word).length;
    if (alike < shown) {
      this.sample.push({ ...step, rows: rows() });
    }
  }

  refuse(key: string, { reason }: Refused): void {
    const known = this.refusals.get(reason);
    if (known === undefined) {
      this.refusals.set(reason, { count: 1, example: key });
    } else {
      known.count += 1;
    }
  }
}
