import type { Caller } from '../contracts/command.ts';
import { fieldsOf, isSecret, type Place } from '../dbt/settings.ts';
import { differences } from '../document/compare.ts';
import type { ConfigDocument, DeclaredDbt } from '../document/document.ts';
import { isSecretReference, secretFromEnvironment } from '../env.ts';
import type { DbtState, DocumentChange, Services } from '../services.ts';
import { mustBeAmong, problem } from '../setup/problem.ts';
import type { VerbParts } from './parts.ts';

/** dbt projects in files: compared and made, with their secrets taken from the environment. */
export class DeclaredDbtProjects {
  private readonly parts: Pick<VerbParts, 'vault'>;
  private readonly verbs: Pick<Services, 'dbt'>;
  private readonly unsealed = new Map<string, Readonly<Record<string, string>>>();

  constructor(parts: Pick<VerbParts, 'vault'>, verbs: Pick<Services, 'dbt'>) {
    this.parts = parts;
    this.verbs = verbs;
  }

  /** A project as a file has it, its secrets as references. */
  declared({ project }: DbtState): DeclaredDbt {
    const { name, source, place, config } = project;
    const secrets = this.parts.vault.unseal(project.secrets);
    this.unsealed.set(name, secrets);
    const reference = (field: string): string =>
      `\${CONNECTION_${`${name}_dbt_${field}`.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}}`;
    return {
      source,
      from: place,
      config: { ...config },
      secrets: Object.fromEntries(Object.keys(secrets).map((field) => [field, reference(field)])),
    };
  }

  /** What making a project as declared would change. Throws INPUT_INVALID at the name at fault. */
  change(name: string, now: ConfigDocument, wanted: DeclaredDbt): DocumentChange {
    mustFit(wanted);
    const before = now.dbt[name];
    const found = before === undefined ? [] : [...differences(openly(before), openly(wanted))];
    const stored = this.unsealed.get(name) ?? {};
    for (const [field, reference] of Object.entries(wanted.secrets)) {
      const value = secretFromEnvironment(reference);
      if (value === undefined && stored[field] === undefined) {
        throw problem(
          `secrets.${field}`,
          `${reference} is not set.`,
          'Set it in the environment of Activate.',
        );
      }
      if (value !== undefined && before !== undefined && value !== stored[field]) {
        found.push({ path: `secrets.${field}`, before: '(another)', after: reference });
      }
    }
    const action = before === undefined ? 'create' : found.length === 0 ? 'none' : 'update';
    return { kind: 'dbt', name, action, differences: found };
  }

  async connect(name: string, wanted: DeclaredDbt, by: Caller): Promise<void> {
    const config = Object.entries(wanted.config).map(([field, value]) => [field, String(value)]);
    const secrets = Object.entries(wanted.secrets).map(([field, reference]) => [
      field,
      secretFromEnvironment(reference) ?? '',
    ]);
    const given = Object.fromEntries([...config, ...secrets]) as Record<string, string>;
    await this.verbs.dbt.connect({ name, source: wanted.source, place: wanted.from, given }, by);
  }
}

function openly({ source, from, config }: DeclaredDbt): unknown {
  return {
    source,
    from,
    config: Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)])),
  };
}

function mustFit({ from, config, secrets }: { readonly from: Place } & DeclaredDbt): void {
  const fields = fieldsOf(from);
  const how = `Write it below secrets, as a name in the environment: \${CONNECTION_…}.`;
  for (const name of Object.keys(config)) {
    if (isSecret(name)) {
      throw problem(`config.${name}`, 'What is secret is never in a file.', how);
    }
    mustBeAmong(`config.${name}`, name, fields, 'field');
  }
  for (const [name, reference] of Object.entries(secrets)) {
    mustBeAmong(`secrets.${name}`, name, fields.filter(isSecret), 'field');
    if (!isSecretReference(reference)) {
      throw problem(`secrets.${name}`, 'What is secret is never in a file.', how);
    }
  }
}
