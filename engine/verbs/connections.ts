import type { Caller } from '../contracts/command.ts';
import type { Connector, PartName } from '../contracts/connector.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Raw } from '../contracts/refs.ts';
import type { Services } from '../services.ts';
import { proveSelect } from '../sql/guard.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import {
  type ConnectionKind,
  type ConnectionRecord,
  connectionNamed,
  listConnections,
  saveConnection,
} from '../store/connections.ts';
import { askLimits, type VerbParts } from './parts.ts';

/** Warehouses: connecting them and asking them. */
export function sourceVerbs(parts: VerbParts): Services['sources'] {
  const use = async (name: string) =>
    parts.connections.source(await connectionNamed(parts.db, 'source', name));
  return {
    list: () => listConnections(parts.db, 'source'),
    connect: (name, connector, config, by) => connect(parts, 'source', { name, connector, config }, by),
    tables: async (name, typed) => (await use(name)).tables(typed),
    selectAll: async (name, table) => (await use(name)).selectAll(table),
    preview: async (name, sql, rows) => {
      const source = await use(name);
      await proveSelect(sql, source.dialect);
      return source.preview(sql, rows, askLimits);
    },
  };
}

/** Tools that rows go to: connecting them, and finding out what they take. */
export function destinationVerbs(parts: VerbParts): Services['destinations'] {
  return {
    list: async () => {
      const records = await listConnections(parts.db, 'destination');
      return records.map((record) => ({ record, connector: parts.connections.connector(record.connector) }));
    },
    connect: (name, connector, config, by) => connect(parts, 'destination', { name, connector, config }, by),
    part: async (name, part) =>
      parts.connections.part(await connectionNamed(parts.db, 'destination', name), part),
    connectorOf: async (name) =>
      parts.connections.connector((await connectionNamed(parts.db, 'destination', name)).connector),
  };
}

/** Tries a connection for each use it will have, and stores it. */
async function connect(
  parts: VerbParts,
  kind: ConnectionKind,
  given: { readonly name: string; readonly connector: Connector; readonly config: Raw },
  by: Caller,
): Promise<readonly string[]> {
  const { name, connector, config } = given;
  const uses = usesOf(connector, kind);
  if (uses.length === 0) {
    throw new ActivateError('INPUT_INVALID', `${connector.name} can't be used as a ${kind}.`);
  }
  const connection = await parts.connections.connect(connector.id, config);
  const warnings = new Set<string>();
  try {
    for (const use of uses) {
      for (const warning of await connection.check(use)) {
        warnings.add(warning);
      }
    }
  } finally {
    await connection.close();
  }
  const isSecret = (field: string): boolean => connector.config[field]?.widget.type === 'secret';
  const kept = Object.entries(config).filter(([field, value]) => field in connector.config && value !== '');
  await parts.db.transaction(async (sql) => {
    const before = (await listConnections(sql, kind)).find((one) => one.name === name);
    const after = await saveConnection(sql, {
      kind,
      name,
      connector: connector.id,
      config: Object.fromEntries(kept.filter(([field]) => !isSecret(field))),
      secrets: parts.vault.seal(Object.fromEntries(kept.filter(([field]) => isSecret(field)))),
      createdBy: Number(by.id),
    });
    await writeAudit(sql, {
      at: parts.now(),
      kind: 'change',
      ...actedBy(by),
      command: 'connect',
      subject: name,
      input: {},
      before: before === undefined ? null : openly(before),
      after: openly(after),
      outcome: 'ok',
    });
  });
  return [...warnings];
}

/** What of a connection may be read by others. */
function openly({ kind, connector, config }: ConnectionRecord): unknown {
  return { kind, connector, config };
}

/** What a connection is tried for: reading, or the first of its frameworks; rights differ little among those. */
function usesOf(connector: Connector, kind: ConnectionKind): readonly PartName[] {
  return kind === 'source'
    ? connector.offers.filter((part) => part === 'source')
    : connector.offers.filter((part) => part !== 'source').slice(0, 1);
}
