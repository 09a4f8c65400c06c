import { createHash } from 'node:crypto';
import type { Origin } from '../contracts/chat.ts';
import type { Caller } from '../contracts/command.ts';
import type { Sql } from '../contracts/db.ts';
import type { Raw } from '../contracts/refs.ts';
import { masked } from '../personal/mask.ts';
import { withoutSecrets } from '../scrub.ts';
import type { Run, RunCounts, RunError } from './runs.ts';
import type { Sync } from './syncs.ts';

/** One thing that was done, decided, changed or refused. */
export interface AuditEntry {
  readonly at: Date;
  readonly kind: 'command' | 'decision' | 'change' | 'run' | 'refusal';
  /** Null when nobody in person: a schedule. */
  readonly personId: number | null;
  readonly person: string;
  readonly command: string;
  /** The name of what it is about: a sync, an alert, a connection, a person. */
  readonly subject: string | null;
  /** Secret fields are left out before it comes here. */
  readonly input: Raw;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly origin: Pick<Origin, 'person' | 'conversation' | 'message'> | null;
  readonly outcome: string;
}

/** An entry as it stands in the log. `hash` is over `previous` and everything else. */
export interface AuditRow extends Required<AuditEntry> {
  /** Its place: 1, 2, 3, … without a gap. */
  readonly id: number;
  readonly previous: string;
  readonly hash: string;
}

/** What an entry says of the person who acts, and where. */
export function actedBy(by: Caller): Pick<AuditEntry, 'personId' | 'person' | 'origin'> {
  const { person, conversation, message } = by;
  return {
    personId: Number(by.id),
    person: by.name,
    origin: { person, conversation, ...(message === undefined ? {} : { message }) },
  };
}

/** What comes before the first entry. */
const beginning = '0'.repeat(64);

const columns = `id, at, kind, person_id as "personId", person, command, subject, input, before, after, origin, outcome,
  previous, hash`;

/**
 * Adds an entry to the log. It has to be the last statement of a transaction: from here until it commits, whoever else
 * wants to add something waits. What looks like a secret is struck out once more.
 */
export async function writeAudit(sql: Sql, entry: AuditEntry): Promise<void> {
  await sql.query('select pg_advisory_xact_lock(731205)');
  const [head] = await sql.query<{ id: number; hash: string }>(
    'select id, hash from audit order by id desc limit 1',
  );
  const row = sealed({ ...kept(entry), id: (head?.id ?? 0) + 1 }, head?.hash ?? beginning);
  await sql.query(
    `insert into audit (id, at, kind, person_id, person, command, subject, input, before, after, origin, outcome, previous, hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      row.id,
      row.at,
      row.kind,
      row.personId,
      row.person,
      row.command,
      row.subject,
      ...[row.input, row.before, row.after, row.origin].map((value) =>
        value === null ? null : JSON.stringify(value),
      ),
      row.outcome,
      row.previous,
      row.hash,
    ],
  );
}

/** The entry as it will be read again: JSON where it is JSON, and texts that PostgreSQL takes. */
function kept(entry: AuditEntry): Required<AuditEntry> {
  const { at, kind, personId, person, command, subject, input, before, after, origin, outcome } = entry;
  return {
    at,
    kind,
    personId,
    person: storable(person),
    command: storable(command),
    subject: subject === null ? null : storable(subject),
    input: asJson(withoutSecrets(input)) as Raw,
    before: asJson(withoutSecrets(before)),
    after: asJson(withoutSecrets(after)),
    origin: asJson(origin) as AuditEntry['origin'],
    outcome: storable(outcome),
  };
}

function asJson(value: unknown): unknown {
  const written = JSON.stringify(value ?? null, (_key, one) => (typeof one === 'bigint' ? String(one) : one));
  return JSON.parse(written);
}

/** Neither NUL nor half a character: a text column has no place for them. */
function storable(text: string): string {
  return text.replaceAll(/[\0\p{Surrogate}]/gu, '\uFFFD');
}

function sealed(entry: Omit<AuditRow, 'previous' | 'hash'>, previous: string): AuditRow {
  return { ...entry, previous, hash: hashOf(entry, previous) };
}

/** SHA-256, as hex, over `[previous, everything else]` as JSON without blanks, the names in order. */
function hashOf(entry: Omit<AuditRow, 'previous' | 'hash'>, previous: string): string {
  const { id, at, kind, personId, person, command, subject, input, before, after, origin, outcome } = entry;
  const all = { id, at, kind, personId, person, command, subject, input, before, after, origin, outcome };
  return createHash('sha256')
    .update(stable([previous, { ...all, at: at.toISOString() }]))
    .digest('hex');
}

/** The same value as the same text, always. */
function stable(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(stable).join(',')}]`;
  }
  if (value === null || typeof value !== 'object') {
    return JSON.stringify(value);
  }
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, one]) => `${JSON.stringify(name)}:${stable(one)}`);
  return `{${members.join(',')}}`;
}

/** What a look through the whole log found. */
export interface AuditVerdict {
  readonly count: number;
  /** The hash of the last entry. Kept elsewhere, it proves later that nothing was cut off since. */
  readonly head: string;
  /** The first entry that is not as it was written, and what is wrong with it; undefined when the chain holds. */
  readonly broken: { readonly id: number | undefined; readonly what: string } | undefined;
}

const pageRows = 1000;

/**
 * Reads the whole log and computes each hash anew. With `expect`, a head that was noted down before has to be there: a
 * log that was cut off at its end is whole in itself.
 */
export async function verifyAudit(
  sql: Sql,
  { expect }: { readonly expect?: string | undefined } = {},
): Promise<AuditVerdict> {
  let count = 0;
  let head = beginning;
  let lastId = 0;
  let met = expect === undefined || expect === beginning;
  for (;;) {
    const rows = await sql.query<AuditRow>(
      `select ${columns} from audit where id > $1 order by id limit ${pageRows}`,
      [lastId],
    );
    for (const row of rows) {
      const what = faultOf(row, count + 1, head);
      if (what !== undefined) {
        return { count, head, broken: { id: row.id, what } };
      }
      count += 1;
      head = row.hash;
      lastId = row.id;
      met ||= row.hash === expect;
    }
    if (rows.length < pageRows) {
      const cut = {
        id: undefined,
        what: 'the head that was noted down is not in the log: its end was cut off',
      };
      return { count, head, broken: met ? undefined : cut };
    }
  }
}

function faultOf(row: AuditRow, place: number, previous: string): string | undefined {
  if (row.id !== place) {
    const missing = row.id - place;
    return missing === 1 ? 'the entry before it is missing' : `${missing} entries before it are missing`;
  }
  if (row.previous !== previous) {
    return 'it does not follow from the entry before it';
  }
  return row.hash === hashOf(row, previous) ? undefined : 'it is not as it was written';
}

/**
 * Entries about one thing or person, or all, newest first. `about` is a name: of what was done to, or of who did it; or a
 * person's e-mail address. `total` counts them all, of those with a number below `before` when that is given.
 */
export async function auditEntries(
  sql: Sql,
  about: string | undefined,
  limit: number,
  before?: number,
): Promise<{ readonly rows: readonly AuditRow[]; readonly total: number }> {
  const where = `($1::text is null or subject = $1 or person = $1
      or person_id = (select id from people where email = lower($1))) and ($2::bigint is null or id < $2)`;
  const values = [about ?? null, before ?? null];
  const [counted] = await sql.query<{ total: number }>(
    `select count(*) as total from audit where ${where}`,
    values,
  );
  const rows = await sql.query<AuditRow>(
    `select ${columns} from audit where ${where} order by id desc limit $3`,
    [...values, limit],
  );
  return { rows, total: counted?.total ?? 0 };
}

/** What entries are about, best matches of `typed` first. */
export async function auditSubjects(sql: Sql, typed: string): Promise<readonly string[]> {
  const rows = await sql.query<{ subject: string }>(
    `select subject from audit where strpos(lower(subject), lower($1)) > 0
      group by subject order by strpos(lower(subject), lower($1)), max(id) desc limit 20`,
    [typed],
  );
  return rows.map(({ subject }) => subject);
}

/** One entry as a line of JSON, with its place in the chain. */
export function auditLine(row: AuditRow): string {
  return stable(asJson(row));
}

/**
 * Whether a run belongs into the log: it did something, failed, or somebody asked for it. One that came by its schedule
 * and found nothing to do stands in the history alone.
 */
export function isWorthAuditing(run: Run, counts: RunCounts, error: RunError | null): boolean {
  const did = Object.values(counts.done ?? {}).reduce((sum, number) => sum + number, counts.messages ?? 0);
  return did > 0 || (counts.failed ?? 0) > 0 || error !== null || run.requestedBy !== null;
}

/** Writes down what a run came to; the last statement of a transaction. */
export async function auditRun(
  sql: Sql,
  sync: Sync,
  run: Run,
  counts: RunCounts,
  error: RunError | null,
  at: Date,
): Promise<void> {
  const [person] = await sql.query<{ name: string }>('select name from people where id = $1', [
    run.requestedBy,
  ]);
  await writeAudit(sql, {
    at,
    kind: 'run',
    personId: run.requestedBy,
    person: person?.name ?? 'the schedule',
    command: 'run',
    subject: sync.name,
    input: { run: String(run.id), cause: run.cause, scope: run.scope },
    after: resultOf(counts, error),
    origin: null,
    outcome: error?.code ?? ((counts.failed ?? 0) > 0 ? 'ROW_REJECTED' : 'ok'),
  });
}

/** Numbers, and what went wrong; what tells of single rows stays where the rows are. */
function resultOf(counts: RunCounts, error: RunError | null): unknown {
  const {
    refusals: _rows,
    unknownPeople: _people,
    reasons: _sentences,
    remarks: _notes,
    ...numbers
  } = counts;
  return error === null
    ? numbers
    : { ...numbers, error: { code: error.code, message: masked(error.message) } };
}
