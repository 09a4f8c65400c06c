-- The audit log becomes a chain: each entry carries the hash of the one before, so that an entry that was changed, left
-- out or put in later is found. Entries are only ever added.

alter table audit drop constraint audit_person_id_fkey;
alter table audit alter column id drop identity;
alter table audit alter column at type timestamptz(3);
alter table audit alter column origin drop not null;
-- json and not jsonb: what was hashed is kept to the letter.
alter table audit alter column input type json using input::json;
alter table audit alter column origin type json using origin::json;
alter table audit add column kind text not null default 'command'
  check (kind in ('command', 'decision', 'change', 'run', 'refusal'));
alter table audit alter column kind drop default;
alter table audit add column subject text;
alter table audit add column before json;
alter table audit add column after json;
alter table audit add column previous text;
alter table audit add column hash text;

-- Entries from before the chain are chained as they stand. The form that is hashed is the one of engine/store/audit.ts.
create function audit_written(value jsonb) returns text language sql as $$
  select case jsonb_typeof(value)
    when 'object' then (
      select '{' || coalesce(string_agg(to_json(key)::text || ':' || audit_written(one), ',' order by key collate "C"), '') || '}'
        from jsonb_each(value) as each (key, one))
    when 'array' then (
      select '[' || coalesce(string_agg(audit_written(one), ',' order by place), '') || ']'
        from jsonb_array_elements(value) with ordinality as each (one, place))
    else value::text
  end
$$;

do $$
declare
  entry audit%rowtype;
  place bigint := 0;
  head text := repeat('0', 64);
  fresh text;
begin
  for entry in select * from audit order by id loop
    place := place + 1;
    fresh := encode(sha256(convert_to(audit_written(jsonb_build_array(head, jsonb_build_object(
      'id', place,
      'at', to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'kind', entry.kind,
      'personId', entry.person_id,
      'person', entry.person,
      'command', entry.command,
      'subject', entry.subject,
      'input', entry.input,
      'before', entry.before,
      'after', entry.after,
      'origin', entry.origin,
      'outcome', entry.outcome
    ))), 'UTF8')), 'hex');
    update audit set id = place, previous = head, hash = fresh where id = entry.id;
    head := fresh;
  end loop;
end
$$;

drop function audit_written(jsonb);

alter table audit alter column previous set not null;
alter table audit alter column hash set not null;
create unique index audit_hash on audit (hash);
create index audit_subject on audit (subject, id);
create index audit_person on audit (person, id);

create function audit_is_final() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is only added to';
end
$$;

create trigger audit_rows_are_final before update or delete on audit
  for each row execute function audit_is_final();
create trigger audit_is_not_emptied before truncate on audit
  for each statement execute function audit_is_final();
