import type { Sql } from '../contracts/db.ts';
import type { Raw } from '../contracts/refs.ts';

/** A command half filled in, kept so that nothing typed is lost. */
export interface Draft {
  readonly id: number;
  readonly personId: number;
  readonly command: string;
  readonly step: number;
  readonly answers: Raw;
  readonly updatedAt: Date;
}

const fields = 'id, person_id as "personId", command, step, answers, updated_at as "updatedAt"';

export async function startDraft(sql: Sql, personId: number, command: string, answers: Raw): Promise<Draft> {
  const [draft] = await sql.query<Draft>(
    `insert into drafts (person_id, command, answers) values ($1, $2, $3) returning ${fields}`,
    [personId, command, JSON.stringify(answers)],
  );
  return draft as Draft;
}

/** The draft, when it is this person's own. */
export async function draftOf(sql: Sql, personId: number, id: number): Promise<Draft | undefined> {
  const [draft] = await sql.query<Draft>(`select ${fields} from drafts where id = $1 and person_id = $2`, [
    id,
    personId,
  ]);
  return draft;
}

export async function keepDraft(sql: Sql, id: number, step: number, answers: Raw): Promise<void> {
  await sql.query(
    'update drafts set step = $2, answers = answers || $3::jsonb, updated_at = now() where id = $1',
    [id, step, JSON.stringify(answers)],
  );
}

export async function dropDraft(sql: Sql, id: number): Promise<void> {
  await sql.query('delete from drafts where id = $1', [id]);
}

/** What this person left half done in the last week and put something into, newest first. */
export async function openDrafts(sql: Sql, personId: number): Promise<readonly Draft[]> {
  return sql.query<Draft>(
    `select ${fields} from drafts where person_id = $1 and answers <> '{}' and updated_at > now() - interval '7 days'
      order by updated_at desc limit 5`,
    [personId],
  );
}
