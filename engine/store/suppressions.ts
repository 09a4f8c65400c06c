import type { Sql } from '../contracts/db.ts';

export type SuppressionReason = 'unsubscribed' | 'bounced' | 'by hand';

/** An address that is not written to. */
export interface Suppression {
  /** As engine/identity writes it. */
  readonly address: string;
  /** Empty: whatever list it is. */
  readonly list: string;
  readonly reason: SuppressionReason;
  readonly note: string | null;
  readonly since: Date;
}

const fields = 'address, list, reason, note, since';

export type NewSuppression = Pick<Suppression, 'address' | 'list' | 'reason'> & { readonly note?: string };

/** Adds addresses; those that are there already stay as they are. Answers with how many are new. */
export async function suppress(sql: Sql, given: readonly NewSuppression[], now: Date): Promise<number> {
  const rows = await sql.query(
    `insert into suppressions (address, list, reason, note, since)
     select address, list, reason, note, $2
       from jsonb_to_recordset($1::jsonb) as given (address text, list text, reason text, note text)
     on conflict do nothing returning address`,
    [JSON.stringify(given), now],
  );
  return rows.length;
}

/** Why this address is not written to on this list; undefined when it is. */
export async function suppressionOf(
  sql: Sql,
  address: string,
  list: string,
): Promise<Suppression | undefined> {
  const [found] = await sql.query<Suppression>(
    `select ${fields} from suppressions where address = $1 and list in ('', $2) order by list limit 1`,
    [address, list],
  );
  return found;
}

export interface SuppressionQuery {
  /** A part of an address. */
  readonly typed: string;
  /** Of one list; undefined: of any. */
  readonly list: string | undefined;
}

export async function findSuppressions(
  sql: Sql,
  { typed, list }: SuppressionQuery,
  limit: number,
): Promise<{ readonly rows: readonly Suppression[]; readonly total: number }> {
  const where = `position($1 in address) > 0 and ($2::text is null or list = $2)`;
  const values = [typed.trim().toLowerCase(), list ?? null];
  const [counted] = await sql.query<{ total: number }>(
    `select count(*)::float8 as total from suppressions where ${where}`,
    values,
  );
  const rows = await sql.query<Suppression>(
    `select ${fields} from suppressions where ${where} order by since desc, address, list limit $3`,
    [...values, limit],
  );
  return { rows, total: counted?.total ?? 0 };
}

/** Writes to an address again, on one list or, when none is named, on all; answers with what was in the way. */
export async function unsuppress(
  sql: Sql,
  address: string,
  list: string | undefined,
): Promise<readonly Suppression[]> {
  return sql.query<Suppression>(
    `delete from suppressions where address = $1 and ($2::text is null or list = $2) returning ${fields}`,
    [address, list ?? null],
  );
}
