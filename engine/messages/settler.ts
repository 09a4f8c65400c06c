import { setTimeout as delay } from 'node:timers/promises';
import type { Db } from '../contracts/db.ts';
import { type Settled, settleDeliveries } from '../store/deliveries.ts';

interface Page {
  readonly rows: Settled[];
  readonly written: Promise<void>;
  readonly settle: { readonly done: () => void; readonly failed: (error: unknown) => void };
}

/** A statement costs far more than a row in it. Posts whose outcome is not written yet are looked up after a crash. */
const gatherMs = 20;

/** Writes outcomes down: one that comes alone at once, those that follow it closely in one statement. */
export class Settler {
  private readonly parts: { readonly db: Db; readonly now: () => Date };
  private page: Page | undefined;
  private writing = false;

  constructor(parts: { readonly db: Db; readonly now: () => Date }) {
    this.parts = parts;
  }

  /** Resolves once this outcome is written; several share one promise. */
  add(settled: Settled): Promise<void> {
    this.page ??= newPage();
    this.page.rows.push(settled);
    const { written } = this.page;
    if (!this.writing) {
      this.writing = true;
      void this.write();
    }
    return written;
  }

  private async write(): Promise<void> {
    for (let page = this.page; page !== undefined; page = this.page) {
      this.page = undefined;
      try {
        await settleDeliveries(this.parts.db, page.rows, this.parts.now());
        page.settle.done();
      } catch (error) {
        page.settle.failed(error);
      }
      await delay(gatherMs);
    }
    this.writing = false;
  }
}

function newPage(): Page {
  let settle: Page['settle'] = { done: () => undefined, failed: () => undefined };
  const written = new Promise<void>((done, failed) => {
    settle = { done, failed };
  });
  // Whoever added a row hears of it; until they listen, the failure must not end the process.
  written.catch(() => undefined);
  return { rows: [], written, settle };
}
