import type { Sql } from '../contracts/db.ts';

/** Nobody posts to this conversation before then; several who are told so at once wait no longer than one. */
export async function pausePace(sql: Sql, conversation: string, until: Date): Promise<void> {
  await sql.query(
    `insert into paces as p (conversation, next_at) values ($1, $2)
     on conflict (conversation) do update set next_at = greatest(p.next_at, $2)`,
    [conversation, until],
  );
}

/**
 * Reserves the next time at which a message to this conversation may be posted, shared by all workers; answers with
 * how long to wait, in ms.
 */
export async function reservePace(
  sql: Sql,
  conversation: string,
  paceMs: number,
  now: Date,
): Promise<number> {
  const [row] = await sql.query<{ at: Date }>(
    `insert into paces as p (conversation, next_at) values ($1, $2::timestamptz + $3::int * interval '1 millisecond')
     on conflict (conversation) do update
       set next_at = greatest(p.next_at, $2) + $3::int * interval '1 millisecond'
     returning next_at - $3::int * interval '1 millisecond' as at`,
    [conversation, now, paceMs],
  );
  return Math.max(0, (row?.at.getTime() ?? 0) - now.getTime());
}
