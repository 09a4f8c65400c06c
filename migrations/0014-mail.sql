-- Mail to people outside: what was written to whom, and who does not want any.

alter table syncs drop constraint syncs_framework_check;
alter table syncs add constraint syncs_framework_check
  check (framework in ('objects', 'events', 'notify', 'audiences', 'files', 'tasks', 'mail'));

-- One mail per row and occasion, written down before it is sent. Its id goes into the Message-ID of every attempt.
-- 'open': nothing of it has gone out. 'sending': its content may have. 'unknown': nobody can say.
create table mails (
  id uuid primary key,
  sync_id bigint not null references syncs on delete cascade,
  -- The run that dealt with it last; runs are forgotten earlier than mails.
  run_id bigint not null,
  key text not null,
  kind text not null,
  -- What tells one occasion from another where a row can change twice.
  print text not null,
  -- To whom, once that is known.
  address text,
  state text not null check (state in ('open', 'sending', 'ok', 'rejected', 'retry', 'unknown', 'suppressed')),
  reason text,
  attempts integer not null default 0,
  -- What was told so far has it: another change of the row is another occasion.
  told boolean not null default false,
  created_at timestamptz not null,
  changed_at timestamptz not null
);
create unique index mails_open on mails (sync_id, key) where not told;
create index mails_by_key on mails (sync_id, key, created_at desc);
create index mails_in_doubt on mails (sync_id) where state = 'unknown';

-- Addresses that are not written to, as engine/identity writes them. The empty list is all of them.
create table suppressions (
  address text not null,
  list text not null default '',
  reason text not null check (reason in ('unsubscribed', 'bounced', 'by hand')),
  note text,
  since timestamptz not null,
  primary key (address, list)
);
create index suppressions_by_list on suppressions (list, since desc);
