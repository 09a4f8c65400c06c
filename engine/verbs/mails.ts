import { randomUUID } from 'node:crypto';
import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import { addressIn } from '../mail/address.ts';
import { LetterText } from '../mail/letter.ts';
import { listOf, mailSettings } from '../model/mail.ts';
import { personalColumns } from '../personal/columns.ts';
import { masked, maskRow } from '../personal/mask.ts';
import { maySee } from '../personal/may-see.ts';
import type { Services } from '../services.ts';
import { proveSelect } from '../sql/guard.ts';
import { writeAudit } from '../store/audit.ts';
import { connectionById, connectionNamed } from '../store/connections.ts';
import { releaseMails } from '../store/mails.ts';
import { modelById } from '../store/models.ts';
import {
  findSuppressions,
  type NewSuppression,
  type SuppressionReason,
  suppress,
  unsuppress,
} from '../store/suppressions.ts';
import { type Sync, syncNamed } from '../store/syncs.ts';
import { askLimits, type VerbParts } from './parts.ts';

/** Mail to people outside: trying it, deciding what is in doubt, and who is not written to. */
export function mailVerbs(parts: VerbParts): Services['mail'] {
  const { db, links, now } = parts;
  return {
    test: async (name, by) => test(parts, await mailingNamed(parts, name), by),
    resend: async (name, key) => releaseMails(db, (await mailingNamed(parts, name)).id, key),
    suppressions: (query, limit) => findSuppressions(db, query, limit),
    suppress: (addresses, list, note) => add(parts, addresses, { list, reason: 'by hand', note }),
    suppressFound: async (source, sql, list, note) =>
      add(parts, await firstColumn(parts, source, sql), { list, reason: 'by hand', note }),
    unsuppress: async (address, list) => unsuppress(db, wellFormed(address), list),
    readLink: (token) => links.read(token),
    leave: async ({ address, list }) => {
      await db.transaction(async (sql) => {
        const added = await suppress(sql, [{ address, list, reason: 'unsubscribed' }], now());
        if (added > 0) {
          await writeAudit(sql, {
            at: now(),
            kind: 'change',
            personId: null,
            person: 'the recipient',
            command: 'unsubscribe',
            subject: list === '' ? null : list,
            input: {},
            after: { address: masked(address), list: list === '' ? 'all' : list },
            origin: null,
            outcome: 'ok',
          });
        }
      });
    },
  };
}

async function mailingNamed({ db }: VerbParts, name: string): Promise<Sync> {
  const sync = await syncNamed(db, name);
  if (sync.framework !== 'mail') {
    const sentence = `${name} sends no mail.`;
    throw new ActivateError('INPUT_INVALID', sentence, {
      fix: `See /activate show ${name}.`,
      fields: { name: sentence },
    });
  }
  return sync;
}

/** The mail of one real row, to the person who asks. Whoever may not see personal data gets it masked. */
async function test(parts: VerbParts, sync: Sync, by: Caller): Promise<string> {
  const own = addressIn(by.email ?? null);
  if (own === undefined || 'unusable' in own) {
    throw new ActivateError('INPUT_INVALID', 'No e-mail address of yours is known here to send a test to.', {
      fix: 'Ask somebody whom the chat knows by an address, or see /activate whoami.',
    });
  }
  const to = own.value;
  const model = await modelById(parts.db, sync.modelId);
  const source = await parts.connections.source(await connectionById(parts.db, 'source', model.sourceId));
  const [values] = (await source.preview(model.sql, 1, askLimits)).rows;
  if (values === undefined) {
    throw new ActivateError(
      'SOURCE_EMPTY',
      `The query of ${sync.name} gives no rows just now, so there is nothing to show.`,
      { fix: 'Try again when it does.' },
    );
  }
  const settings = mailSettings.parse(sync.settings);
  const asItIs = Object.fromEntries(model.columns.map(({ name }, at) => [name, values[at] ?? null]));
  const row = maySee(by, parts.personalDataRole)
    ? asItIs
    : maskRow(asItIs, personalColumns(model.columns, model.personal));
  const list = listOf(settings, sync.name);
  const unsubscribe = settings.unsubscribe ? parts.links.linkFor({ address: to, list }) : undefined;
  const letter = new LetterText(settings, model.columns).write({
    row,
    previous: row,
    change: 'added',
    name: sync.name,
    unsubscribe,
  });
  const destination = await connectionById(parts.db, 'destination', sync.destinationId as number);
  const mails = await parts.connections.part(destination, 'mail');
  const outcome = await mails.send(
    { ...letter, subject: `[Test] ${letter.subject}`, mark: randomUUID(), to, unsubscribe, list },
    { signal: AbortSignal.timeout(askLimits.timeoutMs), begin: async () => undefined },
  );
  if (outcome.state !== 'ok') {
    throw new ActivateError('ROW_REJECTED', `The test was not sent: ${outcome.reason}`);
  }
  return to;
}

const mostImported = 100_000;

/** What stands in the first column of a query. */
async function firstColumn(parts: VerbParts, source: string, sql: string): Promise<readonly string[]> {
  const from = await parts.connections.source(await connectionNamed(parts.db, 'source', source));
  await proveSelect(sql, from.dialect);
  const { rows } = await from.preview(sql, mostImported, askLimits);
  return rows.flatMap(([first]) => (first === null || first === undefined ? [] : [first]));
}

async function add(
  { db, now }: VerbParts,
  addresses: readonly string[],
  how: { readonly list: string; readonly reason: SuppressionReason; readonly note: string | undefined },
): Promise<{ readonly added: number; readonly known: number; readonly unusable: number }> {
  const { list, reason, note } = how;
  const given = new Map<string, NewSuppression>();
  let unusable = 0;
  for (const text of addresses) {
    const formed = addressIn(text);
    if (formed === undefined || 'unusable' in formed) {
      unusable += formed === undefined ? 0 : 1;
    } else {
      given.set(formed.value, {
        address: formed.value,
        list,
        reason,
        ...(note === undefined ? {} : { note }),
      });
    }
  }
  const added = await suppress(db, [...given.values()], now());
  return { added, known: given.size - added, unusable };
}

function wellFormed(text: string): string {
  const formed = addressIn(text);
  if (formed === undefined || 'unusable' in formed) {
    const sentence = formed === undefined ? 'Fill this in.' : formed.unusable;
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { address: sentence } });
  }
  return formed.value;
}
