-- The built-in chat: its people, conversations, messages and files. Other platforms keep theirs themselves.

create table local_people (
  id text primary key,
  name text not null,
  email text not null,
  title text,
  time_zone text not null,
  position integer not null,
  -- Set when the person is no longer in the configured list: their messages stay, they can't be written to.
  left_at timestamptz
);
create unique index local_people_email on local_people (lower(email)) where left_at is null;

create table local_conversations (
  id text primary key,
  name text not null,
  -- Set for the direct messages between this person and the bot; null for a channel.
  person_id text unique references local_people,
  position integer not null,
  archived_at timestamptz
);

create table local_messages (
  id bigint generated always as identity primary key,
  conversation_id text not null references local_conversations,
  -- The first message of the thread that this one answers in.
  thread_id bigint references local_messages on delete cascade,
  -- Null: the bot.
  author_id text references local_people,
  -- Set for a message that only this person sees.
  only_for text references local_people,
  -- What the bot says. json and not jsonb: it keeps every character of a row's value, NUL included.
  card json,
  -- What a person says.
  body text,
  mentions text[] not null default '{}',
  -- The sender's own mark: the same mark twice in one conversation is the same message.
  mark text,
  posted_at timestamptz not null,
  changed_at timestamptz,
  check ((card is null) <> (body is null)),
  check ((author_id is null) = (body is null))
);
create unique index local_messages_mark on local_messages (conversation_id, mark) where mark is not null;
create index local_messages_conversation on local_messages (conversation_id, id);
create index local_messages_thread on local_messages (thread_id, id) where thread_id is not null;

create table local_files (
  id bigint generated always as identity primary key,
  message_id bigint not null references local_messages on delete cascade,
  name text not null,
  type text not null,
  bytes bytea not null
);
create index local_files_message on local_files (message_id, id);

create table local_reads (
  person_id text not null references local_people,
  conversation_id text not null references local_conversations,
  read_up_to bigint not null,
  primary key (person_id, conversation_id)
);
