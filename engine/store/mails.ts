import type { Sql } from '../contracts/db.ts';

/**
 * `open`: nothing of it has gone out. `sending`: its content may have. `unknown`: its content went out, and nobody can
 * say what became of it.
 */
export type MailState = 'open' | 'sending' | 'ok' | 'rejected' | 'retry' | 'unknown' | 'suppressed';

/** One mail about one row on one occasion. */
export interface MailRecord {
  /** Part of its Message-ID. */
  readonly id: string;
  readonly runId: number;
  readonly key: string;
  /** What happened to the row: added, changed, removed. */
  readonly kind: string;
  /** Differs where the row changed again. */
  readonly print: string;
  readonly address: string | null;
  readonly state: MailState;
  readonly reason: string | null;
  /** Its occasion is over. */
  readonly told: boolean;
  readonly createdAt: Date;
  readonly changedAt: Date;
}

const fields = `id, run_id as "runId", key, kind, print, address, state, reason, told, created_at as "createdAt",
  changed_at as "changedAt"`;

/**
 * The mails about these rows whose occasion is not over, or was ended by this run: it may have died before the snapshot
 * had them. At most one for each row.
 */
export async function openMails(
  sql: Sql,
  { syncId, runId }: { readonly syncId: number; readonly runId: number },
  keys: readonly string[],
): Promise<ReadonlyMap<string, MailRecord>> {
  const rows = await sql.query<MailRecord>(
    `select distinct on (key) ${fields} from mails
      where sync_id = $1 and (not told or run_id = $2) and key = any($3)
      order by key, told, created_at desc`,
    [syncId, runId, keys],
  );
  return new Map(rows.map((row) => [row.key, row]));
}

/** Of these rows, those about which a mail went out, or may have, on an earlier occasion. */
export async function writtenBefore(
  sql: Sql,
  syncId: number,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await sql.query<{ key: string }>(
    `select distinct key from mails
      where sync_id = $1 and told and state in ('ok', 'sending', 'unknown') and key = any($2)`,
    [syncId, keys],
  );
  return new Set(rows.map(({ key }) => key));
}

export type NewMail = Pick<MailRecord, 'id' | 'key' | 'kind' | 'print'>;

/**
 * Writes down that these mails are to be sent by this run. One that is in the book already, and of which nothing has gone
 * out, is taken over with its id.
 */
export async function bookMails(
  sql: Sql,
  { syncId, runId, now }: { readonly syncId: number; readonly runId: number; readonly now: Date },
  mails: readonly NewMail[],
): Promise<void> {
  await sql.query(
    `insert into mails (id, sync_id, run_id, key, kind, print, state, created_at, changed_at)
     select id, $2, $3, key, kind, print, 'open', $4, $4
       from jsonb_to_recordset($1::jsonb) as given (id uuid, key text, kind text, print text)
     on conflict (sync_id, key) where not told do update
       set run_id = excluded.run_id, kind = excluded.kind, print = excluded.print, state = 'open', reason = null,
           changed_at = excluded.changed_at`,
    [JSON.stringify(mails), syncId, runId, now],
  );
}

/** Right before the content goes out. */
export async function beginMail(sql: Sql, id: string, address: string, now: Date): Promise<void> {
  await sql.query(
    `update mails set state = 'sending', address = $2, attempts = attempts + 1, changed_at = $3 where id = $1`,
    [id, address, now],
  );
}

export interface MailOutcomeNote {
  readonly state: Exclude<MailState, 'open' | 'sending'>;
  readonly reason: string | null;
  readonly address: string | null;
}

/** Writes down what became of a mail. */
export async function settleMail(sql: Sql, id: string, note: MailOutcomeNote, now: Date): Promise<void> {
  await sql.query(
    `update mails set state = $2, reason = $3, address = coalesce($4, address), changed_at = $5 where id = $1`,
    [id, note.state, note.reason, note.address, now],
  );
}

/** The occasions of these rows are over: what was told is about to have them. */
export async function closeMails(sql: Sql, syncId: number, keys: readonly string[]): Promise<void> {
  await sql.query('update mails set told = true where sync_id = $1 and not told and key = any($2)', [
    syncId,
    keys,
  ]);
}

/** A person decided that mails in doubt are sent again, with the ids that they have; answers with how many. */
export async function releaseMails(sql: Sql, syncId: number, key: string | undefined): Promise<number> {
  const rows = await sql.query(
    `update mails set state = 'retry', reason = null
      where sync_id = $1 and not told and state = 'unknown' and ($2::text is null or key = $2) returning id`,
    [syncId, key ?? null],
  );
  return rows.length;
}

/** The mails about one row, newest first. */
export async function mailsOf(
  sql: Sql,
  syncId: number,
  key: string,
  limit: number,
): Promise<readonly MailRecord[]> {
  return sql.query<MailRecord>(
    `select ${fields} from mails where sync_id = $1 and key = $2 order by created_at desc limit $3`,
    [syncId, key, limit],
  );
}
