import type { Connections } from '../connections.ts';
import type { FieldUse, Item, Objects, Operation } from '../contracts/destination.ts';
import { type DeliveryParts, deliverChanges, type Handover, type Step } from '../delivery/changes.ts';
import { columnsOf, factsOf, valuesOf } from '../delivery/rows.ts';
import { stillWanted } from '../delivery/still-wanted.ts';
import { Refused } from '../mapping/convert.ts';
import { columnsRead, createMapper, type Facts, type Mapper } from '../mapping/mapper.ts';
import { Related } from '../mapping/related.ts';
import type { MappedField } from '../model/mapping.ts';
import { type ObjectsSettings, objectsSettings } from '../model/objects.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { isInDoubt, possibleLines } from '../planner/doubt.ts';
import { keyText } from '../planner/keys.ts';
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
  const mapper = createMapper(settings.fields, specs, columns, objects.anyField);
  const related = new Related(objects, mapper.lookups, planned.columns);
  const archive =
    settings.archive === undefined
      ? undefined
      : createMapper([asField(settings.archive)], specs, columns, objects.anyField);
  const keyed = isKeyedByMatch(settings, planned.model);
  const matched = settings.fields.filter(({ field }) => settings.match.includes(field));
  const match = createMapper(matched, specs, columns, objects.anyField);
  const writer = new Writer({ planned, settings, mapper, match, related, archive, keyed });
  if (settings.mode === 'mirror' && !keyed) {
    const keyWidth = keyWidthOf(planned);
    writer.wanted = await stillWanted(planned, { keyWidth, knownBy: (line) => writer.knownBy(line) });
    await related.look([...writer.wanted.values()].flatMap((line) => (line === undefined ? [] : [line])));
  }
  return deliverChanges<Item>(parts, planned, destinationId, {
    limits: objects.limits,
    // What leaves makes room for what comes.
    verbs: ['delete', 'archive', 'clear', 'insert', 'update', 'upsert'] satisfies Verb[],
    mayBeThere: writer.wanted.size === 0 ? undefined : (entry) => writer.mayBeThere(entry),
    prepare: async (entries) => {
      await related.prepare(entries);
      writer.beginGroup();
    },
    steps: (entry) => writer.steps(entry),
    write: (verb, items, call) => objects.write(batchOf(settings, verb as Verb, items), call),
    fill: fillOf(settings, objects, planned, keyed),
  });
}

function keyWidthOf({ model }: PlannedRun): number {
  return Math.max(1, model.key.length);
}

/**
 * New rows can go as they are where each of their columns is a field, and nothing more is to be done with any of them.
 */
function fillOf(
  settings: ObjectsSettings,
  objects: Objects,
  { columns }: PlannedRun,
  keyed: boolean,
): Handover<Item>['fill'] {
  const { object, mode, match, fields } = settings;
  const { fill } = objects;
  const byColumn = new Map(
    fields.flatMap((one) => (isPlain(one) ? [[one.from.column, one.field] as const] : [])),
  );
  const names = columns.flatMap((column) => byColumn.get(column) ?? []);
  const whole = names.length === columns.length && names.length === fields.length;
  if (fill === undefined || !keyed || !whole || mode === 'update') {
    return undefined;
  }
  const operation = mode === 'insert' ? 'insert' : 'upsert';
  return {
    word: words[operation],
    write: (rows, lines, call) =>
      fill.call(objects, { object, operation, match, fields: names, rows, lines }, call),
  };
}

function isPlain(one: MappedField): one is MappedField & { from: { type: 'column'; column: string } } {
  return one.from.type === 'column' && one.nulls === 'send' && !one.onlyIfEmpty;
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
  /** The match fields alone: a record is found even where its row holds something that can't be written. */
  readonly match: Mapper;
  readonly related: Related;
  readonly archive: Mapper | undefined;
  /** Rows are found by their own key, so that no two of them are the same record. */
  readonly keyed: boolean;
}

/** Turns changes into records to write. */
class Writer {
  private readonly parts: WriterParts;
  private readonly facts: (key: string) => Facts;
  /** Records that a row leaves but another still means, with its line where it does not change. */
  wanted: ReadonlyMap<string, Buffer | undefined> = new Map();
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
          ...(mode === 'insert' && !isInDoubt(entry)
            ? []
            : this.writing(entry, mode === 'mirror' ? 'upsert' : mode)),
        ];
      case 'removed':
        return mode === 'mirror' ? this.movedAway(entry) : [];
      default:
        return entry.kind satisfies never;
    }
  }

  /** What a row's record is found by; nothing for a row that leaves it open. */
  knownBy(line: Buffer): readonly string[] {
    try {
      const row = valuesOf(line, this.parts.planned.columns);
      return [JSON.stringify(this.matchOf(this.parts.match.map(row, this.facts(''), (_, value) => value)))];
    } catch (thrown) {
      if (!(thrown instanceof Refused)) {
        throw thrown;
      }
      // Refused when it was told, or will be: it has no record.
      return [];
    }
  }

  /** Whether a row means a record that was left there for its sake. */
  mayBeThere({ line }: PlanEntry): boolean {
    return line !== undefined && this.knownBy(line).some((name) => this.wanted.has(name));
  }

  private writing(entry: PlanEntry, operation: Operation): readonly Step<Item>[] {
    const values = this.valuesOf(entry.line ?? Buffer.alloc(0), entry.key);
    const match = this.matchOf(values);
    if (!this.parts.keyed) {
      this.mustBeAlone(JSON.stringify(match));
    }
    return [{ verb: operation, word: words[operation], item: { key: entry.key, values } }];
  }

  private mustBeAlone(match: string): void {
    if (this.seen.has(match)) {
      const names = this.parts.settings.match.join(', ');
      throw new Refused(names, `Another row means the same record: it has the same ${names}.`);
    }
    this.seen.add(match);
  }

  /** What a row meant before and does not mean any more is left behind. */
  private movedAway(entry: PlanEntry): readonly Step<Item>[] {
    const { line, previous } = entry;
    const now = line === undefined ? [] : this.knownBy(line);
    const before = previous === undefined ? [] : possibleLines(previous, this.parts.planned.columns.length);
    return before.flatMap((one) =>
      this.knownBy(one).flatMap((name) => {
        if (now.includes(name) || this.seen.has(name)) {
          return [];
        }
        const restored = this.wanted.get(name);
        if (this.wanted.has(name) && restored === undefined) {
          return [];
        }
        this.seen.add(name);
        return [restored === undefined ? this.removing(entry, one) : this.restoring(entry, restored)];
      }),
    );
  }

  /** Another row means the record too: from now on it says alone what is in it. */
  private restoring({ key }: PlanEntry, line: Buffer): Step<Item> {
    const own = keyText(line, keyWidthOf(this.parts.planned));
    return { verb: 'upsert', word: words.upsert, item: { key, values: this.valuesOf(line, own) } };
  }

  private removing(entry: PlanEntry, line: Buffer): Step<Item> {
    const { settings, planned, archive, match, related } = this.parts;
    const row = valuesOf(line, planned.columns);
    const found = match.map(row, this.facts(entry.key), (lookup, value) => related.idOf(lookup, value));
    const step = (verb: Verb, item: Item['values']): Step<Item> => ({
      verb,
      word: words[verb],
      item: { key: entry.key, values: item },
    });
    switch (settings.removal) {
      case 'delete':
        return step('delete', found);
      case 'archive': {
        const mark = archive?.map(row, this.facts(entry.key), () => undefined) ?? {};
        return step('archive', { ...found, ...mark });
      }
      case 'clear': {
        const emptied = Object.fromEntries(settings.fields.map(({ field }) => [field, null]));
        return step('clear', { ...emptied, ...found });
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
