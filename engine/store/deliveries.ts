import type { Card } from '../contracts/card.ts';
import type { Sql } from '../contracts/db.ts';
import type { MessageRef } from '../contracts/refs.ts';

export type DeliveryState = 'sending' | 'ok' | 'rejected' | 'retry' | 'unknown';

/** One message: what is said, about which row, to whom, and what became of it. Its id is the mark it carries. */
export interface Delivery {
  readonly id: string;
  readonly runId: number;
  readonly syncId: number;
  readonly key: string;
  /** Why it is said: added, changed, removed, digest, note. */
  readonly kind: string;
  /** As `formatTarget` writes it. */
  readonly target: string;
  readonly state: DeliveryState;
  /** Without its answers and buttons, which are drawn anew each time. */
  readonly card: Card | null;
  readonly message: MessageRef | null;
  readonly reason: string | null;
  readonly live: boolean;
  readonly closedAt: Date | null;
  readonly createdAt: Date;
}

const fields = `id, run_id as "runId", sync_id as "syncId", key, kind, target, state, card, message, reason, live,
  closed_at as "closedAt", created_at as "createdAt"`;

export type NewDelivery = Pick<Delivery, 'id' | 'key' | 'kind' | 'target' | 'card' | 'live'> & {
  /** Null for what is said about a hold. */
  readonly runId: number | null;
  readonly syncId: number | null;
  readonly holdId: string | null;
};

/** What the book says of a message that somebody may have posted. */
export type Known = Pick<
  Delivery,
  'id' | 'key' | 'kind' | 'target' | 'state' | 'message' | 'reason' | 'createdAt'
> & { readonly runId: number | null };

const known = 'id, run_id as "runId", key, kind, target, state, message, reason, created_at as "createdAt"';

/**
 * Writes down what is about to be sent. Answers with what an interrupted attempt of the same run had written already
 * and knew of it, in no order; the rows given are not in the book in their place.
 */
export async function openDeliveries(
  sql: Sql,
  rows: readonly NewDelivery[],
  now: Date,
): Promise<readonly Known[]> {
  const inserted = await sql.query<{ id: string }>(
    `insert into deliveries (id, run_id, sync_id, hold_id, key, kind, target, state, card, live, created_at)
     select id, run_id, sync_id, hold_id, key, kind, target, 'sending', card, live, $2
       from jsonb_to_recordset($1::jsonb)
         as given (id uuid, run_id bigint, sync_id bigint, hold_id uuid, key text, kind text, target text, card jsonb, live boolean)
     on conflict do nothing returning id`,
    [
      JSON.stringify(
        rows.map((row) => ({
          id: row.id,
          run_id: row.runId,
          sync_id: row.syncId,
          hold_id: row.holdId,
          key: row.key,
          kind: row.kind,
          target: row.target,
          card: row.card,
          live: row.live,
        })),
      ),
      now,
    ],
  );
  if (inserted.length === rows.length) {
    return [];
  }
  const ours = new Set(inserted.map(({ id }) => id));
  const rest = rows.filter((row) => !ours.has(row.id));
  return sql.query<Known>(
    `select ${known} from deliveries d join unnest($1::text[], $2::text[], $3::text[]) as given (k, i, t)
        on d.key = k and d.kind = i and d.target = t where d.run_id = $4 or d.hold_id = $5`,
    [
      rest.map((row) => row.key),
      rest.map((row) => row.kind),
      rest.map((row) => row.target),
      rows[0]?.runId,
      rows[0]?.holdId,
    ],
  );
}

/**
 * Of these rows and targets, what earlier runs already said about a change that is still open: part of its targets
 * were reached, the others not, so the row comes again.
 */
export async function carriedDeliveries(
  sql: Sql,
  syncId: number,
  keys: readonly string[],
): Promise<readonly Known[]> {
  return sql.query<Known>(
    `select ${known} from deliveries where sync_id = $1 and carried and key = any($2)`,
    [syncId, keys],
  );
}

/** Marks what was said about rows whose change stays open, or ends that once it is settled. */
export async function carryDeliveries(
  sql: Sql,
  syncId: number,
  change: { readonly open: readonly string[]; readonly settled: readonly string[]; readonly runId: number },
): Promise<void> {
  await sql.query(
    `update deliveries set carried = key = any($2)
      where sync_id = $1 and ((carried and key = any($3)) or (run_id = $4 and key = any($2)))`,
    [syncId, change.open, [...change.settled, ...change.open], change.runId],
  );
}

export interface Settled {
  readonly id: string;
  readonly state: DeliveryState;
  readonly message: MessageRef | null;
  readonly reason: string | null;
}

/** Writes down what became of messages. */
export async function settleDeliveries(sql: Sql, rows: readonly Settled[], now: Date): Promise<void> {
  await sql.query(
    `update deliveries d set state = given.state, message = coalesce(given.message, d.message), reason = given.reason,
       attempts = d.attempts + 1, sent_at = case when given.state = 'ok' then $2::timestamptz end
       from jsonb_to_recordset($1::jsonb) as given (id uuid, state text, message jsonb, reason text)
      where d.id = given.id`,
    [JSON.stringify(rows), now],
  );
}

export async function deliveryById(sql: Sql, id: string): Promise<Delivery | undefined> {
  const [row] = await sql.query<Delivery>(`select ${fields} from deliveries where id = $1`, [id]);
  return row;
}

/** The open live cards of these rows, one per target at most. */
export async function liveCards(
  sql: Sql,
  syncId: number,
  keys: readonly string[],
): Promise<readonly Delivery[]> {
  return sql.query<Delivery>(
    `select distinct on (key, target) ${fields} from deliveries
      where sync_id = $1 and live and closed_at is null and state = 'ok' and key = any($2)
      order by key, target, created_at desc`,
    [syncId, keys],
  );
}

/** Keeps what a live card shows now; `closed` once its row has left. */
export async function redrawLive(
  sql: Sql,
  rows: readonly { readonly id: string; readonly card: Card; readonly closed: boolean }[],
  now: Date,
): Promise<void> {
  await sql.query(
    `update deliveries d set card = given.card, closed_at = case when given.closed then $2::timestamptz end
       from jsonb_to_recordset($1::jsonb) as given (id uuid, card jsonb, closed boolean) where d.id = given.id`,
    [JSON.stringify(rows), now],
  );
}

/** The posted cards about one row that people may still look at: the newest of each target. */
export async function cardsOf(sql: Sql, syncId: number, key: string): Promise<readonly Delivery[]> {
  return sql.query<Delivery>(
    `select distinct on (target) ${fields} from deliveries
      where sync_id = $1 and key = $2 and state = 'ok' and card is not null and message is not null
      order by target, created_at desc`,
    [syncId, key],
  );
}

/** What was said about one row, newest first. */
export async function deliveriesOf(
  sql: Sql,
  syncId: number,
  key: string,
  limit: number,
): Promise<readonly Delivery[]> {
  return sql.query<Delivery>(
    `select ${fields} from deliveries where sync_id = $1 and key = $2 order by created_at desc limit $3`,
    [syncId, key, limit],
  );
}
