import type { Connections } from '../connections.ts';
import type { FieldUse, Item, Objects, Operation } from '../contracts/destination.ts';
import { type DeliveryParts, deliverChanges, type Step } from '../delivery/changes.ts';
import { columnsOf, factsOf, valuesOf } from '../delivery/rows.ts';
import { stillWanted } from '../delivery/still-wanted.ts';
import { Refused } from '../mapping/convert.ts';
import { columnsRead, createMapper, type Facts, type Mapper } from '../mapping/mapper.ts';
import { Related } from '../mapping/related.ts';
import type { MappedField } from '../model/mapping.ts';
import { type ObjectsSettings, objectsSettings } from '../model/objects.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { connectionById } from '../store/connections.ts';
import type { Model } from '../store/models.ts';
import type { RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { Framework, PlannedRun, PlanTotals } from './framework.ts';

export interface ObjectsParts extends DeliveryParts {
  readonly connections: Connections;
}

/** Rows become records: inserted, updated, or kept in step with what the query gives. */
export function createObjects(parts: ObjectsParts): Framework {
  return {
    id: 'objects',
    request: (sync, model) => {
      const { fields, archive } = settingsOf(sync);
      const all = archive === undefined ? fields : [...fields, asField(archive)];
      const columns = [...new Set([...model.key, ...columnsRead(all, model.columns)])];
      return { columns, kind: 'difference', silentFirst: false };
    },
    objection: (sync, totals) => objectionTo(settingsOf(sync), totals),
    deliver: (planned) => deliver(parts, planned),
  };
}

function settingsOf(sync: Sync): ObjectsSettings {
  return objectsSettings.parse(sync.settings);
}

function asField({ field, from }: NonNullable<ObjectsSettings['archive']>): MappedField {
  return { field, from, nulls: 'send', onlyIfEmpty: false };
}

/** A mirror that would lose everything at once is more often a broken query than a wish. */
function objectionTo({ mode }: ObjectsSettings, { rows, removed }: PlanTotals): string | undefined {
  return mode === 'mirror' && rows === 0 && removed > 0
    ? `The query gave no rows, while ${removed.toLocaleString('en')} are at the destination. All of them would be taken away.`
    : undefined;
}

async function deliver(parts: ObjectsParts, planned: PlannedRun): Promise<RunCounts> {
  const { sync } = planned;
  const settings = settingsOf(sync);
  const destinationId = sync.destinationId as number;
  const record = await connectionById(parts.db, 'destination', destinationId);
  const objects = await parts.connections.part(record, 'objects');
  const specs = await objects.fields(settings.object);
  const columns = columnsOf(planned);
  const mapper = createMapper(settings.fields, specs, columns);
  const related = new Related(objects, mapper.lookups, planned.columns);
  const archive =
    settings.archive === undefined ? undefined : createMapper([asField(settings.archive)], specs, columns);
  const writer = new Writer({ planned, settings, mapper, related, archive });
  if (settings.mode === 'mirror' && !isKeyedByMatch(settings, planned.model)) {
    writer.wanted = await stillWanted(planned, keyWidthOf(planned), (line) => writer.knownBy(line));
  }
  return deliverChanges<Item>(parts, planned, destinationId, {
    limits: objects.limits,
    prepare: async (entries) => {
      await related.prepare(entries);
      writer.beginGroup();
    },
    steps: (entry) => writer.steps(entry),
    write: (verb, items, call) => objects.write(batchOf(settings, verb as Verb, items), call),
  });
}

function keyWidthOf({ model }: PlannedRun): number {
  return Math.max(1, model.key.length);
}

/** Whether the match fields are the model's key: then no two rows are the same record. */
function isKeyedByMatch({ match, fields }: ObjectsSettings, { key }: Model): boolean {
  const columns = match.map((name) => fields.find((one) => one.field === name)?.from);
  return (
    key.length === columns.length &&
    columns.every((from) => from?.type === 'column' && key.includes(from.column))
  );
}

type Verb = Operation | 'archive' | 'clear';

function batchOf(
  settings: ObjectsSettings,
  verb: Verb,
  items: readonly Item[],
): Parameters<Objects['write']>[0] {
  const { object, match, fields, archive } = settings;
  const operation = verb === 'archive' || verb === 'clear' ? 'update' : verb;
  const uses: FieldUse[] = fields.map(({ field, onlyIfEmpty, nulls }) => ({
    name: field,
    onlyIfEmpty: onlyIfEmpty && verb !== 'clear',
    sparse: nulls === 'keep',
  }));
  const matches = uses.filter(({ name }) => match.includes(name));
  if (verb === 'archive' && archive !== undefined) {
    const mark = { name: archive.field, onlyIfEmpty: false, sparse: false };
    return { object, operation, match, items, fields: [...matches, mark] };
  }
  return { object, operation, match, items, fields: verb === 'delete' ? matches : uses };
}

const words = {
  insert: 'inserted',
  update: 'updated',
  upsert: 'written',
  delete: 'deleted',
  archive: 'archived',
  clear: 'cleared',
} as const satisfies Record<Verb, string>;

interface WriterParts {
  readonly planned: PlannedRun;
  readonly settings: ObjectsSettings;
  readonly mapper: Mapper;
  readonly related: Related;
  readonly archive: Mapper | undefined;
}

/** Turns changes into records to write. */
class Writer {
  private readonly parts: WriterParts;
  private readonly facts: (key: string) => Facts;
  /** Records that a row leaves but another still means. */
  wanted: ReadonlySet<string> = new Set();
  private seen = new Set<string>();

  constructor(parts: WriterParts) {
    this.parts = parts;
    this.facts = factsOf(parts.planned);
  }

  /** No two items that are under way at once may be the same record. */
  beginGroup(): void {
    this.seen = new Set();
  }

  steps(entry: PlanEntry): readonly Step<Item>[] {
    const { mode } = this.parts.settings;
    switch (entry.kind) {
      case 'added':
        return this.writing(entry, mode === 'mirror' ? 'upsert' : mode);
      case 'changed':
        return [
          ...(mode === 'mirror' ? this.movedAway(entry) : []),
          ...(mode === 'insert' ? [] : this.writing(entry, mode === 'mirror' ? 'upsert' : mode)),
        ];
      case 'removed':
        return mode === 'mirror' ? this.removing(entry, entry.previous) : [];
      default:
        return entry.kind satisfies never;
    }
  }

  /** What a row's record is found by, for a row that can be mapped. */
  knownBy(line: Buffer): readonly string[] {
    try {
      return [JSON.stringify(this.matchOf(this.valuesOf(line, '')))];
    } catch {
      // Refused when it was told, or will be: it has no record.
      return [];
    }
  }

  private writing(entry: PlanEntry, operation: Operation): readonly Step<Item>[] {
    const values = this.valuesOf(entry.line ?? Buffer.alloc(0), entry.key);
    const match = JSON.stringify(this.matchOf(values));
    if (this.seen.has(match)) {
      const names = this.parts.settings.match.join(', ');
      throw new Refused(names, `Another row means the same record: it has the same ${names}.`);
    }
    this.seen.add(match);
    return [{ verb: operation, word: words[operation], item: { key: entry.key, values } }];
  }

  /** A row whose match fields changed means another record now: the one it meant before is left behind. */
  private movedAway(entry: PlanEntry): readonly Step<Item>[] {
    const { line, previous } = entry;
    const moved =
      line !== undefined &&
      previous !== undefined &&
      this.knownBy(previous)[0] !== undefined &&
      this.knownBy(previous)[0] !== this.knownBy(line)[0];
    return moved ? this.removing(entry, previous) : [];
  }

  private removing(entry: PlanEntry, line: Buffer | undefined): readonly Step<Item>[] {
    const { settings, planned, archive } = this.parts;
    if (line === undefined) {
      return [];
    }
    const [name] = this.knownBy(line);
    if (name === undefined || this.wanted.has(name)) {
      return [];
    }
    const values = this.valuesOf(line, entry.key);
    const found = Object.fromEntries(settings.match.map((field) => [field, values[field] ?? null]));
    const step = (verb: Verb, item: Item['values']): Step<Item> => ({
      verb,
      word: words[verb],
      item: { key: entry.key, values: item },
    });
    switch (settings.removal) {
      case 'delete':
        return [step('delete', found)];
      case 'archive': {
        const row = valuesOf(line, planned.columns);
        const mark = archive?.map(row, this.facts(entry.key), () => undefined) ?? {};
        return [step('archive', { ...found, ...mark })];
      }
      case 'clear': {
        const emptied = Object.fromEntries(settings.fields.map(({ field }) => [field, null]));
        return [step('clear', { ...emptied, ...found })];
      }
      default:
        return settings.removal satisfies never;
    }
  }

  private valuesOf(line: Buffer, key: string): Record<string, Item['values'][string]> {
    const { planned, mapper, related } = this.parts;
    const row = valuesOf(line, planned.columns);
    return mapper.map(row, this.facts(key), (lookup, value) => related.idOf(lookup, value));
  }

  private matchOf(values: Item['values']): readonly unknown[] {
    return this.parts.settings.match.map((field) => {
      const value = values[field];
      if (value === null || value === undefined) {
        throw new Refused(field, `The row has nothing in ${field}, by which its record is found.`);
      }
      return value;
    });
  }
}
