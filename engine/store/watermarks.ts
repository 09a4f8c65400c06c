import type { Sql } from '../contracts/db.ts';

/**
 * Up to which moment the events of a sync were sent, and the earliest that has to be read again: of those refused, or,
 * while a plan is not delivered to its end, of all in it. Both as `momentOf` writes them.
 */
export interface Watermark {
  readonly newest: string | null;
  readonly refused: string | null;
}

export async function watermarkOf(sql: Sql, syncId: number): Promise<Watermark> {
  const [found] = await sql.query<Watermark>('select newest, refused from watermarks where sync_id = $1', [
    syncId,
  ]);
  return found ?? { newest: null, refused: null };
}

/** Stores both. */
export async function keepWatermark(sql: Sql, syncId: number, mark: Watermark): Promise<void> {
  await sql.query(
    `insert into watermarks (sync_id, newest, refused) values ($1, $2, $3)
     on conflict (sync_id) do update set newest = $2, refused = $3`,
    [syncId, mark.newest, mark.refused],
  );
}
