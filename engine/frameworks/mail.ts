import type { Mails } from '../contracts/destination.ts';
import { rowMask } from '../delivery/rows.ts';
import { Tally } from '../delivery/tally.ts';
import { LetterText } from '../mail/letter.ts';
import { kindOf, type MailParts, Postman } from '../mail/postman.ts';
import { type MailSettings, mailSettings } from '../model/mail.ts';
import { connectionById } from '../store/connections.ts';
import { closeMails } from '../store/mails.ts';
import type { Model } from '../store/models.ts';
import { healRejections, noteRejections, noteSkipped, rowsToSkip } from '../store/rejections.ts';
import { noteCounts, type RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { Framework, PlannedRun, PlanRequest, PlanTotals } from './framework.ts';

/** Rows become mails to the people that they name: one for each occasion, and never a second one in doubt. */
export function createMail(parts: MailParts): Framework {
  return {
    id: 'mail',
    request: (sync, model) => requestOf(settingsOf(sync), model),
    objection: (sync, totals) => objectionTo(settingsOf(sync), totals),
    deliver: (planned) => deliver(parts, planned),
  };
}

function settingsOf(sync: Sync): MailSettings {
  return mailSettings.parse(sync.settings);
}

function requestOf(settings: MailSettings, model: Model): PlanRequest {
  const { trigger, watch, threshold, to } = settings;
  const all = model.columns.map((column) => column.name);
  const value = threshold?.column === undefined ? [] : [threshold.column];
  const used = [to, ...new LetterText(settings, model.columns).columns, ...watch, ...value];
  const whole = trigger === 'changed' && watch.length === 0;
  const shared = {
    columns: [...new Set([...model.key, ...(whole ? all : used)])],
    kind: trigger === 'every' ? 'everything' : 'difference',
    silentFirst: settings.silentFirst && trigger !== 'every' && trigger !== 'threshold',
  } as const;
  if (trigger === 'threshold') {
    return { ...shared, watched: [], ...(threshold === undefined ? {} : { threshold }) };
  }
  return trigger === 'changed' && watch.length > 0 ? { ...shared, watched: watch } : shared;
}

function objectionTo(settings: MailSettings, totals: PlanTotals): string | undefined {
  const mails = totals[kindOf(settings)];
  return mails > settings.atMost
    ? `${mails.toLocaleString('en')} mails would go out at once, more than ${settings.atMost.toLocaleString('en')}.`
    : undefined;
}

async function deliver(parts: MailParts, planned: PlannedRun): Promise<RunCounts> {
  const { sync, run, now } = planned;
  const { db, rehearsal } = parts;
  const settings = settingsOf(sync);
  const tally = new Tally(rowMask(planned), await rowsToSkip(db, sync.id), run.counts);
  const postman = new Postman({ ...parts, planned, settings, tally, mails: await mailsFor(parts, sync) });
  for await (const chunk of planned.chunks()) {
    if (rehearsal !== undefined) {
      await postman.rehearse(chunk.entries, rehearsal);
      continue;
    }
    const open = await postman.deal(chunk.entries);
    const noted = tally.take();
    await noteRejections(db, sync.id, run.id, noted.rejections, now());
    await noteSkipped(db, sync.id, noted.skipped);
    // Before the snapshot has them: should this process die in between, this very run finds them settled.
    const over = chunk.entries.filter((entry) => !open.has(entry)).map((entry) => entry.key);
    await closeMails(db, sync.id, over);
    const accepted = chunk.entries.flatMap((entry, at) => (open.has(entry) ? [] : [at]));
    await planned.commit(chunk.seq, open.size === 0 ? 'all' : new Set(accepted));
    await noteCounts(db, run.id, noted.counts);
  }
  if (rehearsal === undefined) {
    await healRejections(db, sync.id, run.id);
  }
  return tally.counts();
}

async function mailsFor({ db, connections }: MailParts, sync: Sync): Promise<Mails> {
  return connections.part(await connectionById(db, 'destination', sync.destinationId as number), 'mail');
}
