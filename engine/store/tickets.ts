import type { Sql } from '../contracts/db.ts';

/** Jobs that a run began at its destination, by the batch that they carry. */
export async function ticketsOf(sql: Sql, runId: number): Promise<ReadonlyMap<string, string>> {
  const rows = await sql.query<{ batch: string; ticket: string }>(
    'select batch, ticket from tickets where run_id = $1',
    [runId],
  );
  return new Map(rows.map((row) => [row.batch, row.ticket]));
}

export async function keepTicket(sql: Sql, runId: number, batch: string, ticket: string): Promise<void> {
  await sql.query(
    `insert into tickets (run_id, batch, ticket) values ($1, $2, $3)
     on conflict (run_id, batch) do update set ticket = $3`,
    [runId, batch, ticket],
  );
}
