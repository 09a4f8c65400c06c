import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Raw } from '../contracts/refs.ts';

/** A warehouse connection as stored; `secrets` is sealed. */
export interface SourceRecord {
  readonly id: number;
  readonly name: string;
  readonly connector: string;
  readonly config: Raw;
  readonly secrets: string;
}

const fields = 'id, name, connector, config, secrets';

export async function listSources(sql: Sql): Promise<readonly SourceRecord[]> {
  return sql.query<SourceRecord>(`select ${fields} from sources order by name`);
}

/** Throws NOT_FOUND with the names there are. */
export async function sourceNamed(sql: Sql, name: string): Promise<SourceRecord> {
  const [source] = await sql.query<SourceRecord>(`select ${fields} from sources where name = $1`, [name]);
  if (source === undefined) {
    const all = await listSources(sql);
    throw new ActivateError('NOT_FOUND', `There is no source "${name}".`, {
      fix:
        all.length === 0
          ? 'Connect a warehouse first: /activate connect.'
          : `There is: ${all.map((other) => other.name).join(', ')}.`,
    });
  }
  return source;
}

export async function sourceById(sql: Sql, id: number): Promise<SourceRecord> {
  const [source] = await sql.query<SourceRecord>(`select ${fields} from sources where id = $1`, [id]);
  if (source === undefined) {
    throw new ActivateError('NOT_FOUND', 'The source of this model was deleted.');
  }
  return source;
}

/** Stores a connection, or replaces the one of that name. */
export async function saveSource(
  sql: Sql,
  source: Omit<SourceRecord, 'id'> & { readonly createdBy: number | null },
): Promise<SourceRecord> {
  const [saved] = await sql.query<SourceRecord>(
    `insert into sources (name, connector, config, secrets, created_by) values ($1, $2, $3, $4, $5)
     on conflict (name) do update set connector = $2, config = $3, secrets = $4 returning ${fields}`,
    [source.name, source.connector, JSON.stringify(source.config), source.secrets, source.createdBy],
  );
  return saved as SourceRecord;
}
