import type { ChangeGate } from '../approvals/changes.ts';
import { outdateHolds } from '../approvals/end.ts';
import type { Caller } from '../contracts/command.ts';
import type { Connector, PartName } from '../contracts/connector.ts';
import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Raw } from '../contracts/refs.ts';
import type { Services } from '../services.ts';
import { proveSelect } from '../sql/guard.ts';
import {
  type ConnectionKind,
  type ConnectionRecord,
  connectionNamed,
  listConnections,
  saveConnection,
} from '../store/connections.ts';
import { syncsOfConnection } from '../store/syncs.ts';
import { askLimits, type VerbParts } from './parts.ts';

/** Warehouses: connecting them and asking them. */
export function sourceVerbs(parts: VerbParts, gate: ChangeGate): Services['sources'] {
  const use = async (name: string) =>
    parts.connections.source(await connectionNamed(parts.db, 'source', name));
  return {
    list: () => listConnections(parts.db, 'source'),
    connect: (name, connector, config, by) => connect(parts, gate, 'source', { name, connector, config }, by),
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
export function destinationVerbs(parts: VerbParts, gate: ChangeGate): Services['destinations'] {
  return {
    list: async () => {
      const records = await listConnections(parts.db, 'destination');
      return records.map((record) => ({ record, connector: parts.connections.connector(record.connector) }));
    },
    connect: (name, connector, config, by) =>
      connect(parts, gate, 'destination', { name, connector, config }, by),
    part: async (name, part) =>
      parts.connections.part(await connectionNamed(parts.db, 'destination', name), part),
    connectorOf: async (name) =>
      parts.connections.connector((await connectionNamed(parts.db, 'destination', name)).connector),
  };
}

/** Tries a connection, and stores it once it may be stored. Answers with warnings about its rights. */
async function connect(
  parts: VerbParts,
  gate: ChangeGate,
  kind: ConnectionKind,
  given: { readonly name: string; readonly connector: Connector; readonly config: Raw },
  by: Caller,
): Promise<readonly string[]> {
  const { name, connector, config } = given;
  const warnings = await tried(parts, kind, connector, config);
  const before = (await listConnections(parts.db, kind)).find((one) => one.name === name);
  const touched = {
    syncs: before === undefined ? [] : await syncsOfConnection(parts.db, kind, before.id),
    before: before === undefined ? null : openly(before),
    after: openly({ kind, connector: connector.id, config: split(connector, config).open }),
  };
  await gate.pass({ kind, name, connector: connector.id, config }, touched, by);
  return warnings;
}

/** Tries a connection for each use it will have. */
async function tried(
  parts: VerbParts,
  kind: ConnectionKind,
  connector: Connector,
  config: Raw,
): Promise<readonly string[]> {
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
  return [...warnings];
}

/** What of a connection's fields may be read by others, and what is sealed. */
function split(connector: Connector, config: Raw): { readonly open: Raw; readonly secret: Raw } {
  const isSecret = (field: string): boolean => connector.config[field]?.widget.type === 'secret';
  const kept = Object.entries(config).filter(([field, value]) => field in connector.config && value !== '');
  return {
    open: Object.fromEntries(kept.filter(([field]) => !isSecret(field))),
    secret: Object.fromEntries(kept.filter(([field]) => isSecret(field))),
  };
}

/** Stores a connection: what the gate does once it may be stored. */
export async function storeConnection(
  parts: VerbParts,
  given: {
    readonly kind: ConnectionKind;
    readonly name: string;
    readonly connector: string;
    readonly config: Raw;
  },
  by: Caller,
  record: (sql: Sql) => Promise<void>,
): Promise<void> {
  const { kind, name, connector } = given;
  const { open, secret } = split(parts.connections.connector(connector), given.config);
  await parts.db.transaction(async (sql) => {
    const { id } = await saveConnection(sql, {
      kind,
      name,
      connector,
      config: open,
      secrets: parts.vault.seal(secret),
      createdBy: Number(by.id),
    });
    await outdateHolds(sql, await syncsOfConnection(sql, kind, id), by);
    await record(sql);
  });
}

/** What of a connection may be read by others. */
function openly({
  kind,
  connector,
  config,
}: Pick<ConnectionRecord, 'kind' | 'connector' | 'config'>): unknown {
  return { kind, connector, config };
}

/** What a connection is tried for: reading, or the first of its frameworks; rights differ little among those. */
function usesOf(connector: Connector, kind: ConnectionKind): readonly PartName[] {
  return kind === 'source'
    ? connector.offers.filter((part) => part === 'source')
    : connector.offers.filter((part) => part !== 'source').slice(0, 1);
}
