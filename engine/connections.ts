import type { AnyConnection, Connector, ConnectorContext, PartName, Parts } from './contracts/connector.ts';
import { ActivateError } from './contracts/errors.ts';
import { check } from './contracts/form.ts';
import type { Raw } from './contracts/refs.ts';
import type { Source } from './contracts/source.ts';
import { parsedUrl } from './contracts/url.ts';
import type { HttpClient } from './http.ts';
import type { Vault } from './secrets.ts';
import type { ConnectionRecord } from './store/connections.ts';

/** Makes the way to the web for one connection: its connector's hosts, and those that its base address adds. */
export type HttpFor = (about: {
  readonly hosts: readonly string[];
  readonly extra: readonly string[];
  /** What must never show in a message. */
  readonly secrets: readonly string[];
}) => HttpClient;

/** Opens stored connections, each once, and keeps them open until they change or the process ends. */
export class Connections {
  private readonly connectors: readonly Connector[];
  private readonly vault: Vault;
  private readonly httpFor: HttpFor;
  private readonly now: () => Date;
  private readonly allowedFolder: string | undefined;
  private readonly open = new Map<
    string,
    { readonly sealed: string; readonly connection: Promise<AnyConnection> }
  >();

  constructor(parts: {
    readonly connectors: readonly Connector[];
    readonly vault: Vault;
    readonly httpFor: HttpFor;
    readonly now: () => Date;
    readonly allowedFolder?: string | undefined;
  }) {
    this.connectors = parts.connectors;
    this.vault = parts.vault;
    this.httpFor = parts.httpFor;
    this.now = parts.now;
    this.allowedFolder = parts.allowedFolder;
  }

  async use(record: ConnectionRecord): Promise<AnyConnection> {
    const name = `${record.kind} ${record.id}`;
    const sealed = JSON.stringify([record.connector, record.config, record.secrets]);
    const kept = this.open.get(name);
    if (kept?.sealed === sealed) {
      return kept.connection;
    }
    const connection = this.connect(record.connector, {
      ...record.config,
      ...this.vault.unseal(record.secrets),
    });
    this.open.set(name, { sealed, connection });
    connection.catch(() => this.open.delete(name));
    if (kept !== undefined) {
      await (await kept.connection).close();
    }
    return connection;
  }

  async source(record: ConnectionRecord): Promise<Source> {
    return this.part(record, 'source');
  }

  /** The part of a connection that serves this use. Throws CONFIG_INVALID when its connector has none. */
  async part<P extends PartName>(record: ConnectionRecord, name: P): Promise<Parts[P]> {
    const part = (await this.use(record))[name];
    if (part === undefined) {
      throw new ActivateError('CONFIG_INVALID', `${record.name} can't be used for ${name}.`, {
        fix: 'Choose another connection.',
      });
    }
    return part as Parts[P];
  }

  /** Opens a connection that is not stored (yet). The caller closes it. */
  async connect(connectorId: string, config: Raw): Promise<AnyConnection> {
    const connector = this.connector(connectorId);
    const checked = check(connector.config, config);
    if (!checked.ok) {
      throw new ActivateError('INPUT_INVALID', 'The connection is not complete.', { fields: checked.errors });
    }
    const http = this.httpFor({
      hosts: connector.hosts,
      extra: baseHosts(config),
      secrets: secretsIn(connector, config),
    });
    const { now, allowedFolder } = this;
    const context: ConnectorContext = { applicationName: 'activate', http, now, allowedFolder };
    try {
      const connection = await connector.open(checked.values, context);
      const close = async (): Promise<void> => {
        await connection.close();
        await http.close();
      };
      return { ...connection, close };
    } catch (error) {
      await http.close();
      throw error;
    }
  }

  connector(id: string): Connector {
    const connector = this.connectors.find((one) => one.id === id);
    if (connector === undefined) {
      throw new ActivateError('CONFIG_INVALID', `There is no connector "${id}" in this version.`);
    }
    return connector;
  }

  async close(): Promise<void> {
    const all = [...this.open.values()];
    this.open.clear();
    await Promise.allSettled(all.map(async (one) => (await one.connection).close()));
  }
}

function secretsIn({ config: fields }: Connector, given: Raw): readonly string[] {
  return Object.entries(given).flatMap(([name, value]) =>
    fields[name]?.widget.type === 'secret' && value !== '' ? [value] : [],
  );
}

/** The host of a base address that was set in place of the vendor's own. */
function baseHosts({ baseUrl }: Raw): readonly string[] {
  return baseUrl !== undefined && parsedUrl(baseUrl) !== undefined ? [new URL(baseUrl).hostname] : [];
}
