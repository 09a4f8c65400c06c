import type { Caller } from '../contracts/command.ts';
import type { Connector } from '../contracts/connector.ts';
import { differences } from '../document/compare.ts';
import { withoutSecrets } from '../document/declared.ts';
import type { ConfigDocument, DeclaredConnection } from '../document/document.ts';
import { isSecretReference, secretFromEnvironment } from '../env.ts';
import type { DocumentChange, Services } from '../services.ts';
import { mustBeAmong, problem } from '../setup/problem.ts';
import type { ConnectionKind, ConnectionRecord } from '../store/connections.ts';
import type { VerbParts } from './parts.ts';

/** Connections in files: compared and made, with their secrets taken from the environment. */
export class DeclaredConnections {
  private readonly parts: Pick<VerbParts, 'connections' | 'vault'>;
  private readonly verbs: Pick<Services, 'sources' | 'destinations'>;
  /** The secrets of those that were declared, to tell whether others are wanted. */
  private readonly unsealed = new Map<string, Readonly<Record<string, string>>>();

  constructor(
    parts: Pick<VerbParts, 'connections' | 'vault'>,
    verbs: Pick<Services, 'sources' | 'destinations'>,
  ) {
    this.parts = parts;
    this.verbs = verbs;
  }

  /** What making a connection as declared would change. Throws INPUT_INVALID at the name at fault. */
  change(
    kind: ConnectionKind,
    name: string,
    now: ConfigDocument,
    wanted: DeclaredConnection,
  ): DocumentChange {
    const before = now[`${kind}s`][name];
    mustFit(this.parts.connections.connector(wanted.connector), wanted);
    const found =
      before === undefined ? [] : [...differences(withoutSecrets(before), withoutSecrets(wanted))];
    for (const [field, reference] of Object.entries(wanted.secrets)) {
      const value = secretFromEnvironment(reference);
      if (value === undefined && before?.secrets[field] === undefined) {
        throw problem(
          `secrets.${field}`,
          `${reference} is not set.`,
          'Set it in the environment of Activate.',
        );
      }
      if (value !== undefined && before !== undefined && value !== this.stored(kind, name)[field]) {
        found.push({ path: `secrets.${field}`, before: '(another)', after: reference });
      }
    }
    const action = before === undefined ? 'create' : found.length === 0 ? 'none' : 'update';
    return { kind, name, action, differences: found };
  }

  private stored(kind: ConnectionKind, name: string): Readonly<Record<string, string>> {
    return this.unsealed.get(`${kind} ${name}`) ?? {};
  }

  /** A connection as a file has it, its secrets as references. */
  declared(record: ConnectionRecord): DeclaredConnection {
    const secrets = this.parts.vault.unseal(record.secrets);
    this.unsealed.set(`${record.kind} ${record.name}`, secrets);
    const reference = (field: string): string =>
      `\${CONNECTION_${`${record.name}_${field}`.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}}`;
    return {
      connector: record.connector,
      config: { ...record.config },
      secrets: Object.fromEntries(Object.keys(secrets).map((field) => [field, reference(field)])),
    };
  }

  async connect(kind: ConnectionKind, name: string, wanted: DeclaredConnection, by: Caller): Promise<void> {
    const connector = this.parts.connections.connector(wanted.connector);
    const stored = this.stored(kind, name);
    const secrets = Object.entries(wanted.secrets).map(([field, reference]) => [
      field,
      secretFromEnvironment(reference) ?? stored[field] ?? '',
    ]);
    const config = Object.entries(wanted.config).map(([field, value]) => [field, String(value)]);
    const given = Object.fromEntries([...config, ...secrets]) as Record<string, string>;
    await (kind === 'source' ? this.verbs.sources : this.verbs.destinations).connect(
      name,
      connector,
      given,
      by,
    );
  }
}

/** Throws INPUT_INVALID for a field that the connector does not have, and for a secret that stands in the file. */
function mustFit({ config: fields }: Connector, { config, secrets }: DeclaredConnection): void {
  for (const [part, given] of Object.entries({ config, secrets })) {
    for (const name of Object.keys(given)) {
      mustBeAmong(`${part}.${name}`, name, Object.keys(fields), 'field');
    }
  }
  const bare = Object.keys(config).find((name) => fields[name]?.widget.type === 'secret');
  if (bare !== undefined) {
    throw problem(`config.${bare}`, 'What is secret is never in a file.', howSecrets);
  }
  for (const [name, reference] of Object.entries(secrets)) {
    if (!isSecretReference(reference)) {
      throw problem(`secrets.${name}`, 'What is secret is never in a file.', howSecrets);
    }
  }
}

const howSecrets = `Write it below secrets, as a name in the environment: \${CONNECTION_…}.`;
