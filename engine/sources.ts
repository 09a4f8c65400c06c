import type { Connector, Dialect, Source } from './contracts/connector.ts';
import { ActivateError } from './contracts/errors.ts';
import { check } from './contracts/form.ts';
import type { Raw } from './contracts/refs.ts';
import type { Vault } from './secrets.ts';
import type { SourceRecord } from './store/sources.ts';

/** Opens stored connections, each once, and keeps them open until they change or the process ends. */
export class Sources {
  private readonly connectors: readonly Connector[];
  private readonly vault: Vault;
  private readonly open = new Map<number, { readonly sealed: string; readonly source: Promise<Source> }>();

  constructor(connectors: readonly Connector[], vault: Vault) {
    this.connectors = connectors;
    this.vault = vault;
  }

  async use(record: SourceRecord): Promise<Source> {
    const sealed = JSON.stringify([record.connector, record.config, record.secrets]);
    const kept = this.open.get(record.id);
    if (kept?.sealed === sealed) {
      return kept.source;
    }
    const source = this.connect(record.connector, { ...record.config, ...this.vault.unseal(record.secrets) });
    this.open.set(record.id, { sealed, source });
    source.catch(() => this.open.delete(record.id));
    if (kept !== undefined) {
      await (await kept.source).close();
    }
    return source;
  }

  /** The SQL that people write for this source. Throws CONFIG_INVALID when its connector is gone. */
  dialect(connectorId: string): Dialect {
    return this.connector(connectorId).dialect;
  }

  /** Opens a connection that is not stored (yet). The caller closes it. */
  async connect(connectorId: string, config: Raw): Promise<Source> {
    const connector = this.connector(connectorId);
    const checked = check(connector.config, config);
    if (!checked.ok) {
      throw new ActivateError('INPUT_INVALID', 'The connection is not complete.', { fields: checked.errors });
    }
    return connector.open(checked.values, { applicationName: 'activate' });
  }

  private connector(id: string): Connector {
    const connector = this.connectors.find((one) => one.id === id);
    if (connector === undefined) {
      throw new ActivateError('CONFIG_INVALID', `There is no connector "${id}" in this version.`);
    }
    return connector;
  }

  async close(): Promise<void> {
    const all = [...this.open.values()];
    this.open.clear();
    await Promise.allSettled(all.map(async (one) => (await one.source).close()));
  }
}
