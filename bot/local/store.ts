import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Attachment } from '../../engine/contracts/chat.ts';
import type { Db, Sql } from '../../engine/contracts/db.ts';
import { mentionsOf } from './card.ts';

export interface LocalPerson {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** IANA name; UTC when left out. */
  readonly timeZone?: string;
  readonly title?: string;
}

/** People under one name, by their ids. */
export interface LocalGroup {
  readonly id: string;
  readonly name: string;
  readonly people: readonly string[];
}

export interface LocalChannel {
  readonly id: string;
  readonly name: string;
}

export interface Person extends LocalPerson {
  readonly timeZone: string;
}

export interface Conversation {
  readonly id: string;
  readonly name: string;
  /** Set for direct messages: whose they are. */
  readonly person: string | undefined;
}

/** A conversation in one person's sidebar. Counts are of what they have not seen. */
export interface Listed extends Conversation {
  readonly unread: number;
  readonly mentions: number;
}

export interface FileInfo {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

interface Common {
  readonly id: number;
  readonly conversation: string;
  readonly thread: number | undefined;
  readonly onlyFor: string | undefined;
  readonly postedAt: Date;
  readonly changedAt: Date | undefined;
  readonly replies: number;
  readonly lastReplyAt: Date | undefined;
  readonly files: readonly FileInfo[];
}

/** A message by the bot, or by a person. */
export type Stored =
  | (Common & { readonly from: 'bot'; readonly card: Card })
  | (Common & { readonly from: 'person'; readonly author: string; readonly body: string });

export interface NewMessage {
  readonly conversation: string;
  readonly thread?: string | undefined;
  readonly onlyFor?: string | undefined;
  readonly mark?: string | undefined;
  readonly at: Date;
  readonly content:
    | { readonly card: Card; readonly files: readonly Attachment[] }
    | { readonly author: string; readonly body: string };
}

/** Where changes are told: the page's process listens, whichever process made them. */
export const CHANNEL = 'local_chat';

/** A change somewhere; `person` when only they can see it. */
export interface Change {
  readonly conversation: string;
  readonly person?: string;
}

/** The id of a person's direct messages with the bot. */
export function directId(person: string): string {
  return `direct-${person}`;
}

/** Makes the configured people and channels the ones there are. What is no longer listed is closed, not deleted. */
export async function seed(
  db: Db,
  people: readonly LocalPerson[],
  channels: readonly LocalChannel[],
  at: Date,
): Promise<void> {
  await db.transaction(async (sql) => {
    // Two processes start at once; one after the other then finds nothing to do.
    await sql.query("select pg_advisory_xact_lock(hashtext('local_chat'))");
    await sql.query('update local_people set left_at = $2 where left_at is null and id <> all ($1)', [
      people.map((person) => person.id),
      at,
    ]);
    for (const [position, person] of people.entries()) {
      await sql.query(
        `insert into local_people (id, name, email, title, time_zone, position) values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set name = excluded.name, email = excluded.email, title = excluded.title,
           time_zone = excluded.time_zone, position = excluded.position, left_at = null`,
        [person.id, person.name, person.email, person.title, person.timeZone ?? 'UTC', position],
      );
    }
    const conversations = [
      ...channels.map(({ id, name }) => ({ id, name, person: null })),
      ...people.map(({ id, name }) => ({ id: directId(id), name, person: id })),
    ];
    await sql.query(
      'update local_conversations set archived_at = $2 where archived_at is null and id <> all ($1)',
      [conversations.map((conversation) => conversation.id), at],
    );
    for (const [position, { id, name, person }] of conversations.entries()) {
      await sql.query(
        `insert into local_conversations (id, name, person_id, position) values ($1, $2, $3, $4)
         on conflict (id) do update set name = excluded.name, position = excluded.position, archived_at = null`,
        [id, name, person, position],
      );
    }
  });
}

export async function people(sql: Sql): Promise<readonly Person[]> {
  return sql.query<Person>(
    `select id, name, email, title, time_zone as "timeZone" from local_people
     where left_at is null order by position, id`,
  );
}

/** Open channels, in their configured order. */
export async function channels(sql: Sql): Promise<readonly LocalChannel[]> {
  return sql.query<LocalChannel>(
    'select id, name from local_conversations where archived_at is null and person_id is null order by position',
  );
}

/** An open channel, or the direct messages of somebody who is there. */
export async function conversation(sql: Sql, id: string): Promise<Conversation | undefined> {
  const [found] = await sql.query<Conversation>(
    `select c.id, coalesce(p.name, c.name) as name, c.person_id as person from local_conversations c
     left join local_people p on p.id = c.person_id
     where c.id = $1 and c.archived_at is null and p.left_at is null`,
    [id],
  );
  return found === undefined ? undefined : { ...found, person: found.person ?? undefined };
}

/** What a person's sidebar shows: channels, then their own direct messages. */
export async function listed(sql: Sql, viewer: string): Promise<readonly Listed[]> {
  const rows = await sql.query<Listed & { person: string | null }>(
    `select c.id, c.name, c.person_id as person, count(m.id)::integer as unread,
       (count(m.id) filter (where $1 = any (m.mentions)))::integer as mentions
     from local_conversations c
     left join local_reads r on r.conversation_id = c.id and r.person_id = $1
     left join local_messages m on m.conversation_id = c.id and m.id > coalesce(r.read_up_to, 0)
       and (m.only_for is null or m.only_for = $1) and m.author_id is distinct from $1
       and (m.thread_id is null or $1 = any (m.mentions))
     where c.archived_at is null and (c.person_id is null or c.person_id = $1)
     group by c.id order by c.position`,
    [viewer],
  );
  return rows.map((row) => ({ ...row, person: row.person ?? undefined }));
}

/** The newest id that a person has seen in a conversation; 0 for nothing yet. */
export async function readUpTo(sql: Sql, viewer: string, id: string): Promise<number> {
  const [row] = await sql.query<{ upTo: number }>(
    'select read_up_to as "upTo" from local_reads where person_id = $1 and conversation_id = $2',
    [viewer, id],
  );
  return row?.upTo ?? 0;
}

export async function markRead(sql: Sql, viewer: string, id: string, upTo: number): Promise<void> {
  await sql.query(
    `insert into local_reads (person_id, conversation_id, read_up_to)
     select $1, id, $3 from local_conversations where id = $2
     on conflict (person_id, conversation_id)
     do update set read_up_to = greatest(local_reads.read_up_to, excluded.read_up_to)`,
    [viewer, id, upTo],
  );
}

interface Row {
  readonly id: number;
  readonly conversation: string;
  readonly thread: number | null;
  readonly onlyFor: string | null;
  readonly author: string | null;
  readonly card: string | null;
  readonly body: string | null;
  readonly postedAt: Date;
  readonly changedAt: Date | null;
  readonly replies: number;
  readonly lastReplyAt: Date | null;
  readonly files: readonly FileInfo[];
}

// $1 is always the viewer.
const seen = `select m.id, m.conversation_id as conversation, m.thread_id as thread, m.only_for as "onlyFor",
    m.author_id as author, m.card::text as card, m.body, m.posted_at as "postedAt", m.changed_at as "changedAt",
    coalesce(r.replies, 0) as replies, r.last as "lastReplyAt",
    coalesce((select json_agg(json_build_object('id', f.id, 'name', f.name, 'type', f.type,
      'size', octet_length(f.bytes)) order by f.id) from local_files f where f.message_id = m.id), '[]') as files
  from local_messages m
  join local_conversations c on c.id = m.conversation_id and (c.person_id is null or c.person_id = $1)
  left join lateral (select count(*)::integer as replies, max(t.posted_at) as last from local_messages t
    where t.thread_id = m.id and (t.only_for is null or t.only_for = $1)) r on true
  where (m.only_for is null or m.only_for = $1)`;

/** The newest messages of a conversation outside its threads, oldest first. */
export async function messages(
  sql: Sql,
  viewer: string,
  id: string,
  most: number,
): Promise<readonly Stored[]> {
  const rows = await sql.query<Row>(
    `${seen} and m.conversation_id = $2 and m.thread_id is null order by m.id desc limit $3`,
    [viewer, id, most],
  );
  return rows.reverse().map(stored);
}

/** A thread's first message and its answers; empty when the viewer can't see it. */
export async function thread(sql: Sql, viewer: string, first: number): Promise<readonly Stored[]> {
  const rows = await sql.query<Row>(`${seen} and (m.id = $2 or m.thread_id = $2) order by m.id`, [
    viewer,
    first,
  ]);
  return rows[0]?.id === first ? rows.map(stored) : [];
}

/** One message, when the viewer can see it. */
export async function message(sql: Sql, viewer: string, id: number): Promise<Stored | undefined> {
  const [row] = await sql.query<Row>(`${seen} and m.id = $2`, [viewer, id]);
  return row === undefined ? undefined : stored(row);
}

function stored(row: Row): Stored {
  const common: Common = {
    id: row.id,
    conversation: row.conversation,
    thread: row.thread ?? undefined,
    onlyFor: row.onlyFor ?? undefined,
    postedAt: row.postedAt,
    changedAt: row.changedAt ?? undefined,
    replies: row.replies,
    lastReplyAt: row.lastReplyAt ?? undefined,
    files: row.files,
  };
  return row.card === null
    ? { ...common, from: 'person', author: row.author ?? '', body: row.body ?? '' }
    : { ...common, from: 'bot', card: fromJson(row.card) };
}

/** Stores a message and tells it. The same mark twice is the message that is there already. */
export async function add(db: Db, given: NewMessage): Promise<number> {
  const { content } = given;
  const byBot = 'card' in content;
  return db.transaction(async (sql) => {
    const [row] = await sql.query<{ id: number }>(
      `insert into local_messages
         (conversation_id, thread_id, author_id, only_for, card, body, mentions, mark, posted_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (conversation_id, mark) where mark is not null do nothing returning id`,
      [
        given.conversation,
        given.thread,
        byBot ? null : content.author,
        given.onlyFor,
        byBot ? toJson(content.card) : null,
        byBot ? null : content.body.replaceAll('\0', '\uFFFD'),
        byBot ? mentionsOf(content.card) : [],
        given.mark,
        given.at,
      ],
    );
    if (row === undefined) {
      return (await marked(sql, given.conversation, given.mark ?? '')) ?? 0;
    }
    await addFiles(sql, row.id, byBot ? content.files : []);
    await tell(sql, given.conversation, given.onlyFor);
    return row.id;
  });
}

/** Replaces a message of the bot's; its files only when new ones are given. False when there is no such message. */
export async function change(
  db: Db,
  id: number,
  card: Card,
  files: readonly Attachment[] | undefined,
  at: Date,
): Promise<boolean> {
  return db.transaction(async (sql) => {
    const [row] = await sql.query<{ conversation: string; onlyFor: string | null }>(
      `update local_messages set card = $2, mentions = $3, changed_at = $4 where id = $1 and author_id is null
       returning conversation_id as conversation, only_for as "onlyFor"`,
      [id, toJson(card), mentionsOf(card), at],
    );
    if (row === undefined) {
      return false;
    }
    if (files !== undefined) {
      await sql.query('delete from local_files where message_id = $1', [id]);
      await addFiles(sql, id, files);
    }
    await tell(sql, row.conversation, row.onlyFor ?? undefined);
    return true;
  });
}

/** The message with this mark, if it arrived. */
export async function marked(sql: Sql, id: string, mark: string): Promise<number | undefined> {
  const [row] = await sql.query<{ id: number }>(
    'select id from local_messages where conversation_id = $1 and mark = $2',
    [id, mark],
  );
  return row?.id;
}

/** Whether this message stands in this conversation and outside any thread, so that it can be answered in one. */
export async function startsThread(sql: Sql, id: string, first: number | undefined): Promise<boolean> {
  const found = await sql.query(
    'select 1 from local_messages where id = $1 and conversation_id = $2 and thread_id is null',
    [first, id],
  );
  return found.length > 0;
}

/** Takes away a message that only this person sees. */
export async function dismiss(db: Db, viewer: string, id: number): Promise<void> {
  await db.transaction(async (sql) => {
    const [row] = await sql.query<{ conversation: string }>(
      'delete from local_messages where id = $1 and only_for = $2 returning conversation_id as conversation',
      [id, viewer],
    );
    if (row !== undefined) {
      await tell(sql, row.conversation, viewer);
    }
  });
}

export interface StoredFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** A file of a message that the viewer can see. */
export async function file(sql: Sql, viewer: string, id: number): Promise<StoredFile | undefined> {
  const [row] = await sql.query<StoredFile>(
    `select f.name, f.type, f.bytes from local_files f
     join local_messages m on m.id = f.message_id
     join local_conversations c on c.id = m.conversation_id and (c.person_id is null or c.person_id = $1)
     where f.id = $2 and (m.only_for is null or m.only_for = $1)`,
    [viewer, id],
  );
  return row;
}

async function addFiles(sql: Sql, id: number, files: readonly Attachment[]): Promise<void> {
  for (const { name, type, bytes } of files) {
    await sql.query('insert into local_files (message_id, name, type, bytes) values ($1, $2, $3, $4)', [
      id,
      name.replaceAll('\0', '\uFFFD'),
      type,
      Buffer.from(bytes),
    ]);
  }
}

async function tell(sql: Sql, id: string, person: string | undefined): Promise<void> {
  const told: Change = { conversation: id, ...(person === undefined ? {} : { person }) };
  await sql.query('select pg_notify($1, $2)', [CHANNEL, JSON.stringify(told)]);
}

/** JSON has no bytes: pictures travel as base64. */
function toJson(card: Card): string {
  const blocks = card.blocks.map((block) =>
    block.type === 'image' ? { ...block, png: Buffer.from(block.png).toString('base64') } : block,
  );
  return JSON.stringify({ ...card, blocks });
}

function fromJson(text: string): Card {
  const card = JSON.parse(text) as Card;
  const blocks = card.blocks.map(
    (block): Block =>
      block.type === 'image' ? { ...block, png: Buffer.from(String(block.png), 'base64') } : block,
  );
  return { ...card, blocks };
}
