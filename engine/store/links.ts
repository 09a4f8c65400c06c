import { createHash, randomBytes } from 'node:crypto';
import type { Origin } from '../contracts/chat.ts';
import type { Sql } from '../contracts/db.ts';
import type { Invocation } from '../contracts/refs.ts';

export interface Link {
  readonly invocation: Invocation;
  readonly origin: Origin;
}

const livesForMs = 30 * 60 * 1000;

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Makes a link token for one form, for half an hour. Only its hash is stored. */
export async function makeLink(sql: Sql, link: Link, now: Date): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  await sql.query('insert into links (token_hash, invocation, origin, expires_at) values ($1, $2, $3, $4)', [
    hash(token),
    JSON.stringify(link.invocation),
    JSON.stringify(link.origin),
    new Date(now.getTime() + livesForMs),
  ]);
  return token;
}

/** What a link stands for while it is good; undefined once it was used or is too old. */
export async function openLink(sql: Sql, token: string, now: Date): Promise<Link | undefined> {
  const [link] = await sql.query<Link>(
    'select invocation, origin from links where token_hash = $1 and used_at is null and expires_at > $2',
    [hash(token), now],
  );
  return link;
}

/** Uses a link up. */
export async function useLink(sql: Sql, token: string, now: Date): Promise<void> {
  await sql.query('update links set used_at = $2 where token_hash = $1', [hash(token), now]);
}
