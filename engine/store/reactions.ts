import type { Origin } from '../contracts/chat.ts';
import type { Db, Sql } from '../contracts/db.ts';

export type Answer = 'claim' | 'snooze' | 'not a fit';

/** An answer to a card: about one row of one alert, in force until it is taken back, replaced or runs out. */
export interface Reaction {
  readonly id: number;
  readonly alert: string;
  readonly key: string;
  readonly answer: Answer;
  readonly person: string;
  readonly at: Date;
  readonly until: Date | null;
  readonly syncId: number;
  readonly personId: number | null;
  readonly origin: Origin;
}

const fields = `id, alert, key, answer, person, at, until, sync_id as "syncId", person_id as "personId", origin`;

/** Stores an answer in place of the one of the same kind that is in force. */
export async function react(
  sql: Sql,
  reaction: Omit<Reaction, 'id'> & { readonly email: string | null },
): Promise<void> {
  await endReaction(sql, reaction.syncId, reaction.key, reaction.answer, reaction.at);
  await sql.query(
    `insert into reactions (alert, key, answer, person, email, at, until, sync_id, person_id, origin)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      reaction.alert,
      reaction.key,
      reaction.answer,
      reaction.person,
      reaction.email,
      reaction.at,
      reaction.until,
      reaction.syncId,
      reaction.personId,
      JSON.stringify(reaction.origin),
    ],
  );
}

export async function endReaction(
  sql: Sql,
  syncId: number,
  key: string,
  answer: Answer,
  at: Date,
): Promise<boolean> {
  const ended = await sql.query(
    'update reactions set ended_at = $4 where sync_id = $1 and key = $2 and answer = $3 and ended_at is null returning id',
    [syncId, key, answer, at],
  );
  return ended.length > 0;
}

/** The answers in force about these rows. */
export async function reactionsTo(
  sql: Sql,
  syncId: number,
  keys: readonly string[],
  now: Date,
): Promise<readonly Reaction[]> {
  return sql.query<Reaction>(
    `select ${fields} from reactions
      where sync_id = $1 and key = any($2) and ended_at is null and (until is null or until > $3) order by at`,
    [syncId, keys, now],
  );
}

/**
 * Hands one snooze that has run out to `remind` and ends it once that is through; false when there is none. Other
 * processes that ask meanwhile get another one.
 */
export async function endRunOutSnooze(
  db: Db,
  now: Date,
  remind: (reaction: Reaction) => Promise<void>,
): Promise<boolean> {
  return db.transaction(async (sql) => {
    const [reaction] = await sql.query<Reaction>(
      `select ${fields} from reactions where answer = 'snooze' and ended_at is null and until <= $1
        order by until limit 1 for update skip locked`,
      [now],
    );
    if (reaction === undefined) {
      return false;
    }
    await remind(reaction);
    await sql.query('update reactions set ended_at = $2 where id = $1', [reaction.id, now]);
    return true;
  });
}
