import { ActivateError, asActivateError } from '../contracts/errors.ts';
import { type Entry, entriesOf, type Sections } from './entries.ts';
import { type DbtModel, type Manifest, type ManifestAbout, modelOf } from './model.ts';
import { group, metadata, node } from './node.ts';
import { Tests } from './tests.ts';

const oldest = 7;

/** What of a manifest is read. The SQL of nodes as it was written is most of it, and nothing that we need. */
const sections: Sections = {
  metadata: { whole: true },
  groups: {},
  disabled: {},
  nodes: { fields: new Set(Object.keys(node.shape)) },
};

/**
 * Reads a manifest of any size. Throws INPUT_INVALID with a sentence for what is no manifest, is cut short, or is older
 * than what we read; what the bytes themselves throw goes through.
 */
export async function readManifest(bytes: AsyncIterable<Uint8Array>): Promise<Manifest> {
  const gathered = new Gathered();
  try {
    for await (const entry of entriesOf(bytes, sections)) {
      gathered.add(entry);
    }
  } catch (thrown) {
    const error = asActivateError(thrown);
    throw error.code === 'BUG'
      ? new ActivateError('INPUT_INVALID', 'The manifest is no whole JSON: it is damaged or cut short.', {
          cause: thrown,
          fix: 'Have dbt write it again; the one that was read last stays in use.',
        })
      : error;
  }
  return gathered.manifest();
}

class Gathered {
  private about: ManifestAbout | undefined;
  private readonly nodes = new Map<string, DbtModel>();
  private readonly grouped = new Map<string, string>();
  private readonly owners = new Map<string, string>();
  private readonly tests = new Tests();

  add({ section, id, value }: Entry): void {
    switch (section) {
      case 'metadata':
        this.about = aboutOf(value);
        return;
      case 'groups':
        this.own(value);
        return;
      case 'disabled':
        for (const one of [value].flat()) {
          this.take(id, one, false);
        }
        return;
      default:
        this.take(id, value, true);
    }
  }

  manifest(): Manifest {
    if (this.about === undefined) {
      throw new ActivateError('INPUT_INVALID', 'This is no manifest of dbt: it has no metadata.', {
        fix: 'dbt writes it as target/manifest.json.',
      });
    }
    const models = [...this.nodes.values()].map((model) => {
      const { key, ids } = this.tests.about(model);
      const owner = model.owner ?? this.owners.get(this.grouped.get(model.uniqueId) ?? '');
      return { ...model, owner, key: model.key.length > 0 ? model.key : key, tests: ids };
    });
    return { about: this.about, models };
  }

  private own(value: unknown): void {
    const { name, owner } = group.parse(value);
    const called = owner?.name ?? owner?.email?.[0];
    if (name && called) {
      this.owners.set(name, called);
    }
  }

  private take(id: string, value: unknown, listed: boolean): void {
    const parsed = node.safeParse(value);
    const type = parsed.data?.resource_type;
    if (parsed.data === undefined) {
      return;
    }
    if (type === 'test' || type === 'unit_test') {
      this.tests.add(id, parsed.data);
    } else if (isKept(type) && (listed || !this.nodes.has(id))) {
      const model = modelOf(id, parsed.data, listed && parsed.data.config?.enabled !== false);
      const groupName = parsed.data.group ?? parsed.data.config?.group;
      this.nodes.set(id, model);
      if (groupName) {
        this.grouped.set(id, groupName);
      }
    }
  }
}

function aboutOf(value: unknown): ManifestAbout {
  const parsed = metadata.safeParse(value);
  const schema = parsed.data?.dbt_schema_version ?? '';
  const version = Number(/\/manifest\/v(\d+)(?:\.json)?$/.exec(schema)?.[1] ?? Number.NaN);
  if (parsed.data === undefined || Number.isNaN(version)) {
    throw new ActivateError('INPUT_INVALID', 'This is no manifest of dbt: it does not say its version.', {
      fix: 'dbt writes it as target/manifest.json.',
    });
  }
  if (version < oldest) {
    throw new ActivateError(
      'INPUT_INVALID',
      `This manifest has version v${version}, which is too old: v${oldest} or newer is read.`,
      { fix: 'Use dbt 1.3 or newer, and have it write the manifest again.' },
    );
  }
  const { generated_at, invocation_id, project_name, adapter_type } = parsed.data;
  return {
    version,
    generatedAt: generated_at,
    invocationId: invocation_id,
    project: project_name,
    adapter: adapter_type,
  };
}

function isKept(type: string | undefined): boolean {
  return type === 'model' || type === 'seed' || type === 'snapshot';
}
