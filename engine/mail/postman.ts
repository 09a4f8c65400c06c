import type { Connections } from '../connections.ts';
import type { MailOutcome, Mails } from '../contracts/destination.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { DeliveryParts } from '../delivery/changes.ts';
import { type InsistParts, inParallel, insist } from '../delivery/insist.ts';
import type { Rehearsal } from '../delivery/rehearsal.ts';
import { rowOf } from '../delivery/rows.ts';
import type { Tally } from '../delivery/tally.ts';
import type { PlannedRun } from '../frameworks/framework.ts';
import { Refused } from '../mapping/convert.ts';
import { listOf, type MailSettings } from '../model/mail.ts';
import type { Row } from '../personal/mask.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { beginMail, type MailOutcomeNote, settleMail } from '../store/mails.ts';
import { suppress, suppressionOf } from '../store/suppressions.ts';
import { addressIn } from './address.ts';
import { MailBook, type Place } from './book.ts';
import { type Letter, LetterText } from './letter.ts';
import { noPublicUrl, type UnsubscribeLinks } from './unsubscribe.ts';

export interface MailParts extends DeliveryParts {
  readonly connections: Connections;
  readonly links: UnsubscribeLinks;
}

export interface PostmanParts extends MailParts {
  readonly planned: PlannedRun;
  readonly settings: MailSettings;
  readonly tally: Tally;
  readonly mails: Mails;
}

/** Which change of a row is written about. */
export function kindOf({ trigger }: Pick<MailSettings, 'trigger'>): PlanEntry['kind'] {
  return trigger === 'every' || trigger === 'threshold' ? 'added' : trigger;
}

/** A row to be written about, with the id of its mail. */
interface Errand {
  readonly entry: PlanEntry;
  readonly id: string;
}

const inDoubt =
  'The mail went out and no answer came: it may have arrived. It is not sent again unless somebody has it sent with resend.';

/** Writes to the people of rows: once on each occasion, and never again in doubt. */
export class Postman {
  private readonly parts: PostmanParts;
  private readonly book: MailBook;
  private readonly text: LetterText;
  private readonly list: string;
  private readonly insistence: InsistParts;

  constructor(parts: PostmanParts) {
    const { db, planned, settings, mails } = parts;
    this.parts = parts;
    this.book = new MailBook(db, planned, settings);
    this.text = new LetterText(settings, planned.model.columns);
    this.list = listOf(settings, planned.sync.name);
    this.insistence = {
      ...parts,
      now: planned.now,
      signal: planned.signal,
      destinationId: planned.sync.destinationId as number,
      paceMs: mails.limits.paceMs ?? 0,
    };
  }

  /** The mails that would go out. Nobody is written to. */
  async rehearse(entries: readonly PlanEntry[], rehearsal: Rehearsal): Promise<void> {
    const { db, settings } = this.parts;
    const loud = this.loud(entries);
    const had = await this.book.writtenBefore(loud);
    for (const entry of loud.filter(({ key }) => !had.has(key))) {
      const rows = (): readonly Row[] => [this.rowOf(entry)];
      try {
        const to = this.addressOf(entry);
        const off = (await suppressionOf(db, to, this.list)) !== undefined;
        const { subject, text } = this.letterTo(to, entry);
        const item = off ? { to } : { to, subject, text };
        rehearsal.would({ word: off ? 'suppressed' : 'sent', key: entry.key, item }, rows);
      } catch (thrown) {
        rehearsal.refuse(entry.key, new Refused(settings.to, refusalOf(thrown)));
      }
    }
  }

  /** Deals with these changes; answers with those that are not over. */
  async deal(entries: readonly PlanEntry[]): Promise<ReadonlySet<PlanEntry>> {
    const { planned, tally } = this.parts;
    const { mutedUntil } = planned.sync;
    const open = new Set<PlanEntry>();
    const loud = this.loud(entries);
    if (mutedUntil !== null && mutedUntil > planned.now()) {
      tally.did('kept quiet', loud.length);
      return open;
    }
    const heard = loud.filter((entry) => !tally.isToSkip(entry));
    for (const entry of loud.filter((one) => tally.isToSkip(one))) {
      tally.skip(entry);
    }
    const places = await this.book.open(heard);
    const errands: Errand[] = [];
    for (const [at, entry] of heard.entries()) {
      errands.push(...(await this.errandOf(entry, places[at], open)));
    }
    await this.carryAll(errands, open);
    return open;
  }

  private loud(entries: readonly PlanEntry[]): readonly PlanEntry[] {
    const kind = kindOf(this.parts.settings);
    return entries.filter((entry) => !entry.silent && entry.kind === kind);
  }

  private async errandOf(
    entry: PlanEntry,
    place: Place | undefined,
    open: Set<PlanEntry>,
  ): Promise<readonly Errand[]> {
    switch (place?.is) {
      case undefined:
        return [];
      case 'to send':
        return [{ entry, id: place.id }];
      case 'in doubt':
        await this.settle(place.mail.id, { state: 'unknown', reason: inDoubt, address: null });
        this.refuse(entry, inDoubt, open);
        return [];
      case 'sent':
      case 'suppressed':
      case 'written to before':
        this.parts.tally.did(place.is);
        return [];
      default:
        return place satisfies never;
    }
  }

  /** What is put off is taken up again, all of it together, for as long as it may take. */
  private async carryAll(errands: readonly Errand[], open: Set<PlanEntry>): Promise<void> {
    const { planned, mails, patience, sleep } = this.parts;
    let left = errands;
    for (let made = 1; left.length > 0; made += 1) {
      const later: Errand[] = [];
      await inParallel(left, mails.limits.concurrency, async (errand) => {
        const outcome = await this.carry(errand);
        if (outcome === undefined || outcome.state === 'ok') {
          return;
        }
        if (outcome.state === 'retry' && made < patience.attempts) {
          later.push(errand);
        } else {
          this.refuse(errand.entry, outcome.reason, open);
        }
      });
      left = later;
      if (left.length > 0) {
        await sleep(Math.min(patience.firstWaitMs * 2 ** (made - 1), patience.longestWaitMs), planned.signal);
      }
    }
  }

  /** One mail: undefined when nothing is left to be said of it. */
  private async carry({ entry, id }: Errand): Promise<MailOutcome | undefined> {
    const { db, planned, tally } = this.parts;
    planned.signal.throwIfAborted();
    try {
      const to = this.addressOf(entry);
      // As late as can be: somebody may have taken themselves off while this run was under way.
      const off = await suppressionOf(db, to, this.list);
      if (off !== undefined) {
        await this.settle(id, { state: 'suppressed', reason: off.reason, address: to });
        tally.did('suppressed');
        return undefined;
      }
      const outcome = await this.post(id, to, this.letterTo(to, entry));
      await this.note(id, to, outcome);
      return outcome;
    } catch (thrown) {
      planned.signal.throwIfAborted();
      const reason = refusalOf(thrown);
      await this.settle(id, { state: 'rejected', reason, address: null });
      return { state: 'rejected', reason, gone: false };
    }
  }

  private async post(id: string, to: string, letter: Letter): Promise<MailOutcome> {
    const { db, planned, mails } = this.parts;
    const mail = { ...letter, to, mark: id, unsubscribe: this.linkFor(to), list: this.list };
    const call = { signal: planned.signal, begin: () => beginMail(db, id, to, planned.now()) };
    return insist(this.insistence, () => mails.send(mail, call));
  }

  private async note(id: string, to: string, outcome: MailOutcome): Promise<void> {
    const { db, planned, tally } = this.parts;
    if (outcome.state === 'ok') {
      await this.settle(id, { state: 'ok', reason: null, address: to });
      tally.did('sent');
      return;
    }
    if (outcome.state === 'rejected' && outcome.gone) {
      await suppress(db, [{ address: to, list: '', reason: 'bounced' }], planned.now());
    }
    await this.settle(id, { state: outcome.state, reason: outcome.reason, address: to });
  }

  private settle(id: string, note: MailOutcomeNote): Promise<void> {
    return settleMail(this.parts.db, id, note, this.parts.planned.now());
  }

  private refuse(entry: PlanEntry, reason: string, open: Set<PlanEntry>): void {
    open.add(entry);
    this.parts.tally.refuse(entry, { reason, field: this.parts.settings.to, operation: entry.kind });
  }

  private rowOf(entry: PlanEntry): Row {
    return rowOf(entry, this.parts.planned.columns);
  }

  private addressOf(entry: PlanEntry): string {
    const { to } = this.parts.settings;
    const formed = addressIn(this.rowOf(entry)[to] ?? null);
    if (formed === undefined) {
      throw new Refused(to, `The column ${to} names nobody.`);
    }
    if ('unusable' in formed) {
      throw new Refused(to, formed.unusable);
    }
    return formed.value;
  }

  private letterTo(to: string, entry: PlanEntry): Letter {
    const { kind, key, silent, previous } = entry;
    return this.text.write({
      row: this.rowOf(entry),
      previous: previous === undefined ? {} : this.rowOf({ kind, key, silent, previous }),
      change: kind,
      name: this.parts.planned.sync.name,
      unsubscribe: this.linkFor(to),
    });
  }

  private linkFor(address: string): string | undefined {
    const { settings, links } = this.parts;
    if (!settings.unsubscribe) {
      return undefined;
    }
    const link = links.linkFor({ address, list: this.list });
    if (link === undefined) {
      throw new ActivateError('CONFIG_INVALID', noPublicUrl.message, { fix: noPublicUrl.fix });
    }
    return link;
  }
}

/** Codes that are about one row and what it holds; anything else is about the connection and ends the run. */
const aboutTheRow = ['ROW_REJECTED', 'TEMPLATE_INVALID'];

function refusalOf(thrown: unknown): string {
  if (thrown instanceof Refused) {
    return thrown.reason;
  }
  const error = asActivateError(thrown);
  if (!aboutTheRow.includes(error.code)) {
    throw thrown;
  }
  return error.message;
}
