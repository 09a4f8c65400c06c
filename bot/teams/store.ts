import { createHash, randomBytes } from 'node:crypto';
import type { Attachment } from '../../engine/contracts/chat.ts';
import type { Db, Sql } from '../../engine/contracts/db.ts';
import type { MessageRef } from '../../engine/contracts/refs.ts';
import type { InvokeAnswer } from './adapter.ts';
import type { AdaptiveCard } from './elements.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A mark is looked for by the next run at the latest; two weeks leave room for one that was paused. */
const POSTS_MS = 14 * DAY_MS;
const VIEWS_MS = 90 * DAY_MS;
/** A delivery is repeated for seconds, a press of the same button by a client for minutes at most. */
const HEARD_MS = 60 * 60_000;

export interface Conversation {
  readonly id: string;
  readonly kind: 'channel' | 'group' | 'personal';
  readonly name: string | null;
  readonly teamId: string | null;
  readonly teamName: string | null;
  readonly teamGroupId: string | null;
  readonly serviceUrl: string;
  readonly gone: boolean;
}

export interface Person {
  readonly id: string;
  readonly teamsId: string | null;
  readonly name: string;
  readonly email: string | null;
  readonly userPrincipalName: string | null;
  readonly timeZone: string | null;
  /** Null for a member of the organisation, and for whom no roster was asked yet. */
  readonly standing: 'guest' | 'stranger' | null;
  readonly conversationId: string | null;
  readonly serviceUrl: string;
  readonly listedAt: Date | null;
}

const conversationColumns = `id, kind, name, team_id as "teamId", team_name as "teamName",
  team_group_id as "teamGroupId", service_url as "serviceUrl", gone_at is not null as gone`;
const personColumns = `id, teams_id as "teamsId", name, email, user_principal_name as "userPrincipalName",
  time_zone as "timeZone", standing, conversation_id as "conversationId", service_url as "serviceUrl", listed_at as "listedAt"`;

/** Takes a conversation in, or what is new about it. A name that isn't given stays. */
export async function meetConversation(
  sql: Sql,
  one: Pick<Conversation, 'id' | 'kind' | 'serviceUrl'> &
    Partial<Pick<Conversation, 'name' | 'teamId' | 'teamName' | 'teamGroupId'>>,
  at: Date,
): Promise<void> {
  await sql.query(
    `insert into teams_conversations as c (id, kind, name, team_id, team_name, team_group_id, service_url, seen_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (id) do update set name = coalesce(excluded.name, c.name), kind = excluded.kind,
       team_id = coalesce(excluded.team_id, c.team_id), team_name = coalesce(excluded.team_name, c.team_name),
       team_group_id = coalesce(excluded.team_group_id, c.team_group_id), service_url = excluded.service_url,
       gone_at = null, seen_at = excluded.seen_at`,
    [
      one.id,
      one.kind,
      one.name ?? null,
      one.teamId ?? null,
      one.teamName ?? null,
      one.teamGroupId ?? null,
      one.serviceUrl,
      at,
    ],
  );
}

/** Notes that the bot isn't there any more; of a team, with all its channels. */
export async function loseConversation(sql: Sql, id: string, at: Date): Promise<void> {
  await sql.query(
    'update teams_conversations set gone_at = $2 where (id = $1 or team_id = $1) and gone_at is null',
    [id, at],
  );
}

/** Makes these the channels of a team: others of it are gone. */
export async function keepChannels(
  db: Db,
  team: Pick<Conversation, 'serviceUrl'> & {
    readonly id: string;
    readonly name: string | null;
    readonly groupId: string | null;
  },
  channels: readonly { readonly id: string; readonly name: string }[],
  at: Date,
): Promise<void> {
  await db.transaction(async (sql) => {
    const { serviceUrl } = team;
    const about = {
      kind: 'channel',
      teamId: team.id,
      teamName: team.name,
      teamGroupId: team.groupId,
    } as const;
    for (const { id, name } of channels) {
      await meetConversation(sql, { id, name, ...about, serviceUrl }, at);
    }
    await sql.query(
      'update teams_conversations set gone_at = $3 where team_id = $1 and id <> all ($2) and gone_at is null',
      [team.id, channels.map(({ id }) => id), at],
    );
  });
}

export async function conversation(sql: Sql, id: string): Promise<Conversation | undefined> {
  const [row] = await sql.query<Conversation>(
    `select ${conversationColumns} from teams_conversations where id = $1`,
    [id],
  );
  return row;
}

/** Channels and group chats that the bot can post to. */
export async function places(sql: Sql): Promise<readonly Conversation[]> {
  return sql.query<Conversation>(
    `select ${conversationColumns} from teams_conversations
     where kind <> 'personal' and gone_at is null order by team_name, name, id`,
  );
}

/**
 * Takes a person in, or what is new about them. What isn't given stays; without a name they go by their id. Who was
 * listed has the standing that is given, none among them.
 */
export async function meetPerson(
  sql: Sql,
  one: Pick<Person, 'id' | 'serviceUrl'> & Partial<Person>,
  at: Date,
): Promise<void> {
  await sql.query(
    `insert into teams_people as p (id, teams_id, name, email, user_principal_name, time_zone, conversation_id,
       service_url, listed_at, seen_at, standing) values ($1, $2, coalesce($3, $1), $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (id) do update set teams_id = coalesce(excluded.teams_id, p.teams_id), name = coalesce($3, p.name),
       email = coalesce(excluded.email, p.email),
       user_principal_name = coalesce(excluded.user_principal_name, p.user_principal_name),
       time_zone = coalesce(excluded.time_zone, p.time_zone),
       conversation_id = coalesce(excluded.conversation_id, p.conversation_id),
       service_url = excluded.service_url, listed_at = coalesce(excluded.listed_at, p.listed_at),
       standing = case when excluded.listed_at is null then p.standing else excluded.standing end,
       seen_at = excluded.seen_at`,
    [
      one.id,
      one.teamsId ?? null,
      one.name ?? null,
      one.email ?? null,
      one.userPrincipalName ?? null,
      one.timeZone ?? null,
      one.conversationId ?? null,
      one.serviceUrl,
      one.listedAt ?? null,
      at,
      one.standing ?? null,
    ],
  );
}

export async function person(sql: Sql, id: string): Promise<Person | undefined> {
  const [row] = await sql.query<Person>(`select ${personColumns} from teams_people where id = $1`, [id]);
  return row;
}

/** By address, of our own people and guests; where two have it, the one that was listed last. */
export async function personWithEmail(sql: Sql, email: string): Promise<Person | undefined> {
  const [row] = await sql.query<Person>(
    `select ${personColumns} from teams_people
     where (lower(email) = lower($1) or lower(user_principal_name) = lower($1))
       and standing is distinct from 'stranger'
     order by (lower(email) = lower($1)) desc nulls last, listed_at desc nulls last limit 1`,
    [email],
  );
  return row;
}

export async function everybody(sql: Sql): Promise<readonly Person[]> {
  return sql.query<Person>(`select ${personColumns} from teams_people order by name, id`);
}

/** Forgets those whom no roster has had since then, unless they have a chat with the bot. */
export async function forgetUnlisted(sql: Sql, since: Date): Promise<void> {
  await sql.query('delete from teams_people where listed_at < $1 and conversation_id is null', [since]);
}

export async function keepPost(sql: Sql, mark: string, posted: MessageRef, at: Date): Promise<void> {
  await sql.query(
    `insert into teams_posts (mark, conversation_id, thread, message_id, expires_at) values ($1, $2, $3, $4, $5)
     on conflict (mark) do nothing`,
    [
      mark,
      posted.conversation.id,
      posted.conversation.thread ?? null,
      posted.id,
      new Date(at.getTime() + POSTS_MS),
    ],
  );
}

export async function postOf(sql: Sql, mark: string): Promise<MessageRef | undefined> {
  const [row] = await sql.query<{ id: string; thread: string | null; message: string }>(
    'select conversation_id as id, thread, message_id as message from teams_posts where mark = $1',
    [mark],
  );
  if (row === undefined) {
    return undefined;
  }
  const thread = row.thread === null ? {} : { thread: row.thread };
  return {
    conversation: { kind: 'conversation', platform: 'teams', id: row.id, ...thread },
    id: row.message,
  };
}

/** Keeps a file for as long; the token is what its address holds, and is stored nowhere. */
export async function keepFile(
  sql: Sql,
  kind: 'picture' | 'file',
  file: Attachment,
  until: Date,
): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  await sql.query(
    'insert into teams_files (token_hash, kind, name, type, bytes, expires_at) values ($1, $2, $3, $4, $5, $6)',
    [hash(token), kind, file.name.replaceAll('\0', '\uFFFD'), file.type, Buffer.from(file.bytes), until],
  );
  return token;
}

export async function fileOf(
  sql: Sql,
  kind: 'picture' | 'file',
  token: string,
  at: Date,
): Promise<(Attachment & { readonly until: Date }) | undefined> {
  const [row] = await sql.query<Attachment & { readonly until: Date }>(
    `select name, type, bytes, expires_at as until from teams_files
     where token_hash = $1 and kind = $2 and expires_at > $3`,
    [hash(token), kind, at],
  );
  return row;
}

export async function dropFile(sql: Sql, token: string): Promise<void> {
  await sql.query('delete from teams_files where token_hash = $1', [hash(token)]);
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** True for whoever asks first about this activity. */
export async function claim(sql: Sql, id: string, at: Date): Promise<boolean> {
  const rows = await sql.query(
    'insert into teams_heard (id, expires_at) values ($1, $2) on conflict (id) do nothing returning id',
    [id, new Date(at.getTime() + HEARD_MS)],
  );
  return rows.length > 0;
}

export async function keepAnswer(sql: Sql, id: string, answer: InvokeAnswer): Promise<void> {
  await sql.query('update teams_heard set answer = $2 where id = $1', [id, JSON.stringify(answer)]);
}

export async function answerOf(sql: Sql, id: string): Promise<InvokeAnswer | undefined> {
  const [row] = await sql.query<{ answer: InvokeAnswer | null }>(
    'select answer from teams_heard where id = $1',
    [id],
  );
  return row?.answer ?? undefined;
}

export async function keepView(sql: Sql, id: string, card: AdaptiveCard, at: Date): Promise<void> {
  await sql.query('insert into teams_views (id, card, expires_at) values ($1, $2, $3)', [
    id,
    JSON.stringify(card),
    new Date(at.getTime() + VIEWS_MS),
  ]);
}

export async function viewOf(sql: Sql, id: string): Promise<AdaptiveCard | undefined> {
  const [row] = await sql.query<{ card: AdaptiveCard }>('select card from teams_views where id = $1', [id]);
  return row?.card;
}

/** Deletes what is over. */
export async function prune(sql: Sql, at: Date): Promise<void> {
  for (const table of ['teams_posts', 'teams_files', 'teams_heard', 'teams_views']) {
    await sql.query(`delete from ${table} where expires_at < $1`, [at]);
  }
}
