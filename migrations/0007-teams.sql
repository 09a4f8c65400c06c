-- What the bot has to remember of Microsoft Teams, which can't be asked for most of it.

-- Every team, channel and chat that the bot is in, with the address it is reached at: that may change at any activity.
create table teams_conversations (
  -- Without the thread.
  id text primary key,
  kind text not null check (kind in ('channel', 'group', 'personal')),
  name text,
  team_id text,
  team_name text,
  -- What Microsoft Graph calls the team.
  team_group_id text,
  service_url text not null,
  -- Set when the app was removed there, or the channel deleted.
  gone_at timestamptz,
  seen_at timestamptz not null
);
create index teams_conversations_team on teams_conversations (team_id) where team_id is not null;

create table teams_people (
  -- The Entra object id: the same in every team, and in Microsoft Graph.
  id text primary key,
  -- What Teams calls them towards this bot.
  teams_id text,
  name text not null,
  email text,
  user_principal_name text,
  time_zone text,
  -- Their personal chat with the bot, once there is one.
  conversation_id text,
  service_url text not null,
  -- When the roster was last asked for them; null when only a message of theirs is known.
  listed_at timestamptz,
  seen_at timestamptz not null
);
create index teams_people_email on teams_people (lower(email)) where email is not null;
create index teams_people_user_principal_name on teams_people (lower(user_principal_name))
  where user_principal_name is not null;

-- Which message carries which mark: Teams has no way to look for one.
create table teams_posts (
  mark text primary key,
  conversation_id text not null,
  thread text,
  message_id text not null,
  expires_at timestamptz not null
);

-- Pictures of cards, and files on their way, behind addresses that can't be guessed. Only hashes of tokens are kept.
create table teams_files (
  token_hash text primary key,
  kind text not null check (kind in ('picture', 'file')),
  name text not null,
  type text not null,
  bytes bytea not null,
  expires_at timestamptz not null
);

-- Activities heard, so that what is delivered twice runs once, whichever process gets it. The answer is the invoke's.
create table teams_heard (
  id text primary key,
  answer json,
  expires_at timestamptz not null
);

-- Drawn cards whose buttons differ from viewer to viewer.
create table teams_views (
  id text primary key,
  card json not null,
  expires_at timestamptz not null
);
