import type { Run } from '../store/runs.ts';

export interface LaneParts {
  /** How many runs are carried out at a time. */
  readonly count: number;
  /** Takes runs for this worker; answers with those that it got. */
  readonly claim: (ids: readonly number[]) => Promise<readonly Run[]>;
  /** Carries a run out. Never throws. */
  readonly carry: (run: Run) => Promise<void>;
}

/** Runs that came together. */
interface Group {
  left: number;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** No run is claimed much longer than this before a lane takes it, */
const aheadMs = 50;
/** nor more than so many. */
const mostAhead = 500;

/**
 * Carries out so many runs at a time. The others wait unclaimed: a run is claimed shortly before a lane takes it, alone
 * when runs take long and many in one statement when they are short.
 */
export class Lanes {
  private readonly parts: LaneParts;
  /** Every run that is here, in whatever state: the same one may come in two groups at once. */
  private readonly here = new Map<number, Group>();
  private waiting: number[] = [];
  /** What came while it was carried: approved, say, before the worker was done with asking. */
  private readonly again = new Set<number>();
  private readonly carried = new Set<number>();
  private letGo: number[] | undefined;
  private readonly claimed: Run[] = [];
  private busy = 0;
  private claiming = false;
  /** How long a run takes, the latest counting most. Begins high: nothing is claimed ahead before runs prove short. */
  private usualMs = 1000;

  constructor(parts: LaneParts) {
    this.parts = parts;
  }

  /** Resolves once each of these runs is carried out, in other hands, or let go. */
  async add(ids: readonly number[]): Promise<void> {
    if (this.letGo !== undefined) {
      this.letGo.push(...ids);
      return;
    }
    const wanted = ids.filter((id) => !this.here.has(id));
    for (const id of ids.filter((one) => this.carried.has(one))) {
      this.again.add(id);
    }
    if (wanted.length === 0) {
      return;
    }
    await new Promise<void>((done, failed) => {
      const group = { left: wanted.length, done, failed };
      for (const id of wanted) {
        this.here.set(id, group);
      }
      this.waiting.push(...wanted);
      this.next();
    });
  }

  /** Claims nothing more, and lets go of what is not claimed yet. The list grows while groups still come. */
  close(): readonly number[] {
    this.letGo = this.waiting;
    this.waiting = [];
    for (const id of this.letGo) {
      this.leave(id);
    }
    return this.letGo;
  }

  private next(): void {
    while (this.busy < this.parts.count) {
      const run = this.claimed.shift();
      if (run === undefined) {
        break;
      }
      this.busy += 1;
      void this.carry(run);
    }
    const ahead = Math.floor(Math.min(mostAhead, (this.parts.count * aheadMs) / this.usualMs));
    const wanted = this.parts.count - this.busy + ahead - this.claimed.length;
    if (!this.claiming && this.waiting.length > 0 && wanted > ahead / 2) {
      this.claiming = true;
      void this.claim(this.waiting.splice(0, wanted));
    }
  }

  private async claim(ids: readonly number[]): Promise<void> {
    try {
      const got = await this.parts.claim(ids);
      this.claimed.push(...got);
      const ours = new Set(got.map((run) => run.id));
      for (const id of ids.filter((one) => !ours.has(one))) {
        this.leave(id);
      }
    } catch (error) {
      for (const id of ids) {
        this.here.get(id)?.failed(error);
        this.leave(id);
      }
    }
    this.claiming = false;
    this.next();
  }

  private async carry(run: Run): Promise<void> {
    const began = performance.now();
    this.carried.add(run.id);
    await this.parts.carry(run);
    this.carried.delete(run.id);
    this.usualMs = 0.9 * this.usualMs + 0.1 * (performance.now() - began);
    this.busy -= 1;
    this.leave(run.id);
    if (this.again.delete(run.id)) {
      // Should it fail to be claimed, it is found by its lease.
      this.add([run.id]).catch(() => undefined);
    }
    this.next();
  }

  private leave(id: number): void {
    const group = this.here.get(id);
    this.here.delete(id);
    if (group !== undefined) {
      group.left -= 1;
      if (group.left === 0) {
        group.done();
      }
    }
  }
}
