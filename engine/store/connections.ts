import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Raw } from '../contracts/refs.ts';

/** What a connection is for: reading rows, or writing them. The two are kept apart, so that nothing read is written to. */
export type ConnectionKind = 'source' | 'destination';

/** A connection as stored; `secrets` is sealed. */
export interface ConnectionRecord {
  readonly id: number;
  readonly kind: ConnectionKind;
  readonly name: string;
  readonly connector: string;
  readonly config: Raw;
  readonly secrets: string;
}

function fields(kind: ConnectionKind): string {
  return `id, '${kind}' as kind, name, connector, config, secrets`;
}

export async function listConnections(sql: Sql, kind: ConnectionKind): Promise<readonly ConnectionRecord[]> {
  return sql.query<ConnectionRecord>(`select ${fields(kind)} from ${kind}s order by name`);
}

/** Throws NOT_FOUND with the names there are. */
export async function connectionNamed(
  sql: Sql,
  kind: ConnectionKind,
  name: string,
): Promise<ConnectionRecord> {
  const [found] = await sql.query<ConnectionRecord>(`select ${fields(kind)} from ${kind}s where name = $1`, [
    name,
  ]);
  if (found === undefined) {
    const all = await listConnections(sql, kind);
    const sentence = `There is no ${kind} "${name}".`;
    throw new ActivateError('NOT_FOUND', sentence, {
      fix:
        all.length === 0
          ? 'Connect one first: /activate connect.'
          : `There is: ${all.map((other) => other.name).join(', ')}.`,
      fields: { [kind]: sentence },
    });
  }
  return found;
}

export async function connectionById(sql: Sql, kind: ConnectionKind, id: number): Promise<ConnectionRecord> {
  const [found] = await sql.query<ConnectionRecord>(`select ${fields(kind)} from ${kind}s where id = $1`, [
    id,
  ]);
  if (found === undefined) {
    throw new ActivateError('NOT_FOUND', `The ${kind} was deleted.`);
  }
  return found;
}

/** Stores a connection, or replaces the one of that name. */
export async function saveConnection(
  sql: Sql,
  record: Omit<ConnectionRecord, 'id'> & { readonly createdBy: number | null },
): Promise<ConnectionRecord> {
  const { kind } = record;
  const [saved] = await sql.query<ConnectionRecord>(
    `insert into ${kind}s (name, connector, config, secrets, created_by) values ($1, $2, $3, $4, $5)
     on conflict (name) do update set connector = $2, config = $3, secrets = $4 returning ${fields(kind)}`,
    [record.name, record.connector, JSON.stringify(record.config), record.secrets, record.createdBy],
  );
  return saved as ConnectionRecord;
}
