import { createHash, randomUUID } from 'node:crypto';
import type { Db } from '../contracts/db.ts';
import type { PlannedRun } from '../frameworks/framework.ts';
import type { MailSettings } from '../model/mail.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import {
  bookMails,
  closeMails,
  type MailRecord,
  type NewMail,
  openMails,
  writtenBefore,
} from '../store/mails.ts';

/** What the book says of a change: a mail that is to be sent now, with its id, or why there is none. */
export type Place =
  | { readonly is: 'to send'; readonly id: string }
  | { readonly is: 'sent' | 'suppressed' | 'written to before' }
  /** Its content went out, and no answer was written down. */
  | { readonly is: 'in doubt'; readonly mail: MailRecord };

/** Nothing of such a mail was taken by anybody. */
const notGone: ReadonlySet<MailRecord['state']> = new Set(['open', 'rejected', 'retry', 'suppressed']);

/** The mails of a sync, written down before they are sent: what no process that dies may forget. */
export class MailBook {
  private readonly db: Db;
  private readonly planned: PlannedRun;
  private readonly settings: Pick<MailSettings, 'repeat' | 'trigger'>;

  constructor(db: Db, planned: PlannedRun, settings: Pick<MailSettings, 'repeat' | 'trigger'>) {
    this.db = db;
    this.planned = planned;
    this.settings = settings;
  }

  /** The places of these changes, in order. Mails that are to be sent are in the book once this resolves. */
  async open(entries: readonly PlanEntry[]): Promise<readonly Place[]> {
    const { db, planned } = this;
    const keys = entries.map((entry) => entry.key);
    const known = await openMails(db, { syncId: planned.sync.id, runId: planned.run.id }, keys);
    const before = await this.writtenBefore(entries);
    const places = entries.map((entry) => this.place(entry, known.get(entry.key), before));
    const bookings: NewMail[] = [];
    const over: string[] = [];
    for (const [at, entry] of entries.entries()) {
      const place = places[at];
      if (place?.is === 'to send') {
        bookings.push({ id: place.id, key: entry.key, kind: entry.kind, print: printOf(entry) });
        // Of a mail that did not go out the place is kept, whatever it will be about now.
        over.push(...(known.get(entry.key)?.id === place.id ? [] : [entry.key]));
      }
    }
    await closeMails(db, planned.sync.id, over);
    await bookMails(db, { syncId: planned.sync.id, runId: planned.run.id, now: planned.now() }, bookings);
    return places;
  }

  /** Of these rows, those that were written about on an earlier occasion, where that is not to happen twice. */
  async writtenBefore(entries: readonly PlanEntry[]): Promise<ReadonlySet<string>> {
    const keys = entries.map((entry) => entry.key);
    return this.settings.repeat ? new Set() : writtenBefore(this.db, this.planned.sync.id, keys);
  }

  private place(entry: PlanEntry, known: MailRecord | undefined, before: ReadonlySet<string>): Place {
    if (known !== undefined && this.isSaid(known, entry)) {
      switch (known.state) {
        case 'ok':
          return { is: 'sent' };
        case 'suppressed':
          return { is: 'suppressed' };
        case 'sending':
        case 'unknown':
          return { is: 'in doubt', mail: known };
        case 'open':
        case 'rejected':
        case 'retry':
          break;
        default:
          return known.state satisfies never;
      }
    }
    if (before.has(entry.key)) {
      return { is: 'written to before' };
    }
    const kept = known !== undefined && !known.told && notGone.has(known.state);
    return { is: 'to send', id: kept ? known.id : randomUUID() };
  }

  /** Whether a mail in the book is about this very change, or the only one that there may be about its row. */
  private isSaid({ runId, kind, print, state }: MailRecord, entry: PlanEntry): boolean {
    const { settings, planned } = this;
    if (!settings.repeat && !notGone.has(state)) {
      return true;
    }
    if (settings.trigger === 'every') {
      return runId === planned.run.id || planned.run.cause === 'retry';
    }
    return kind === entry.kind && (kind !== 'changed' || print === printOf(entry));
  }
}

function printOf({ line, previous }: PlanEntry): string {
  return createHash('sha256')
    .update(line ?? previous ?? '')
    .digest('hex')
    .slice(0, 32);
}
