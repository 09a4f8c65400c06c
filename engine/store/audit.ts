import type { Origin } from '../contracts/chat.ts';
import type { Sql } from '../contracts/db.ts';
import type { Raw } from '../contracts/refs.ts';

export interface AuditEntry {
  readonly personId: number | null;
  readonly person: string;
  readonly command: string;
  /** Secret fields are left out before it comes here. */
  readonly input: Raw;
  readonly origin: Origin;
  readonly outcome: string;
}

/** Writes down who did what, where, and how it ended. */
export async function writeAudit(sql: Sql, entry: AuditEntry): Promise<void> {
  await sql.query(
    'insert into audit (person_id, person, command, input, origin, outcome) values ($1, $2, $3, $4, $5, $6)',
    [
      entry.personId,
      entry.person,
      entry.command,
      JSON.stringify(entry.input),
      JSON.stringify(entry.origin),
      entry.outcome,
    ],
  );
}
