import { createHash } from 'node:crypto';
import type { Connections } from '../connections.ts';
import type { Db } from '../contracts/db.ts';
import type { Event, FieldSpec } from '../contracts/destination.ts';
import type { Column } from '../contracts/source.ts';
import { type DeliveryParts, deliverChanges, type Step } from '../delivery/changes.ts';
import { columnsOf, factsOf, valuesOf } from '../delivery/rows.ts';
import { converterTo, Refused } from '../mapping/convert.ts';
import { columnsRead, createMapper, type Facts, type Mapper, type RowValues } from '../mapping/mapper.ts';
import { type EventsSettings, eventsSettings } from '../model/events.ts';
import type { MappedField } from '../model/mapping.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { momentOf } from '../planner/window.ts';
import { connectionById } from '../store/connections.ts';
import { openRejections } from '../store/rejections.ts';
import type { RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import { keepWatermark, watermarkOf } from '../store/watermarks.ts';
import type { Framework, PlannedRun } from './framework.ts';

export interface EventsParts extends DeliveryParts {
  readonly connections: Connections;
}

/** Rows become things that happened, each sent once. */
export function createEvents(parts: EventsParts): Framework {
  return {
    id: 'events',
    request: (sync, model) => {
      const settings = settingsOf(sync);
      const mapped = columnsRead([eventField(settings), ...settings.properties], model.columns);
      const named = [settings.time, ...Object.values(settings.person), ...mapped];
      return {
        columns: [...new Set([...model.key, ...named])],
        watched: [],
        kind: 'window',
        window: { column: settings.time, lookBackMs: settings.lookBackMinutes * 60_000 },
        silentFirst: settings.silentFirst,
      };
    },
    objection: () => undefined,
    deliver: (planned) => deliver(parts, planned),
  };
}

function settingsOf(sync: Sync): EventsSettings {
  return eventsSettings.parse(sync.settings);
}

function eventField({ event }: EventsSettings): MappedField {
  return { field: 'event', from: event, nulls: 'send', onlyIfEmpty: false };
}

async function deliver(parts: EventsParts, planned: PlannedRun): Promise<RunCounts> {
  const { sync } = planned;
  const { db, rehearsal } = parts;
  const writer = new EventWriter(planned, settingsOf(sync));
  if (rehearsal === undefined) {
    await holdOpen(db, planned, writer);
  }
  const destinationId = sync.destinationId as number;
  const record = await connectionById(db, 'destination', destinationId);
  const events = await parts.connections.part(record, 'events');
  const counts = await deliverChanges<Event>(parts, planned, destinationId, {
    limits: events.limits,
    verbs: ['send'],
    steps: (entry) => writer.steps(entry),
    write: (_verb, items, call) => events.send(items, call),
    settled: async (accepted) => {
      const { newest, refused } = await watermarkOf(db, sync.id);
      await keepWatermark(db, sync.id, {
        newest: writer.untilNow(writer.bound(newest, linesOf(accepted), 'newest')),
        refused,
      });
    },
  });
  if (rehearsal === undefined) {
    await letGo(db, planned, writer, counts.failed ?? 0);
  }
  return counts;
}

/**
 * Until a plan is delivered to its end, all of it may have to be read again: a run that fails leaves events behind that
 * are older than others that it sent.
 */
async function holdOpen(db: Db, planned: PlannedRun, writer: EventWriter): Promise<void> {
  const { newest, refused } = await watermarkOf(db, planned.sync.id);
  let oldest = refused;
  for await (const entries of planned.allEntries()) {
    oldest = writer.bound(oldest, linesOf(entries), 'oldest');
  }
  await keepWatermark(db, planned.sync.id, { newest, refused: oldest });
}

/** From now on only what is refused has to be read again. */
async function letGo(db: Db, { sync }: PlannedRun, writer: EventWriter, failed: number): Promise<void> {
  const { newest, refused } = await watermarkOf(db, sync.id);
  const kept = await openRejections(db, sync.id, undefined, failed);
  const lines = kept.flatMap(({ line }) => line ?? []);
  // More were refused than are kept one by one: then the bound stays where it was.
  const oldest = lines.length < failed ? refused : writer.bound(null, lines, 'oldest');
  await keepWatermark(db, sync.id, { newest, refused: oldest });
}

function linesOf(entries: readonly PlanEntry[]): readonly Buffer[] {
  return entries.flatMap(({ line, silent }) => (line === undefined || silent ? [] : [line]));
}

/** Turns rows into events. */
class EventWriter {
  private readonly planned: PlannedRun;
  private readonly settings: EventsSettings;
  private readonly facts: (key: string) => Facts;
  private readonly timeAt: number;
  private readonly isTime: boolean;
  private readonly timeOf: (row: RowValues) => string;
  private readonly name: Mapper;
  private readonly properties: Mapper;

  constructor(planned: PlannedRun, settings: EventsSettings) {
    const columns = columnsOf(planned);
    this.planned = planned;
    this.settings = settings;
    this.facts = factsOf(planned);
    this.timeAt = planned.columns.indexOf(settings.time);
    this.isTime = columns[this.timeAt]?.type === 'time';
    this.timeOf = timeReader(columns[this.timeAt] as Column, this.timeAt);
    this.name = createMapper([eventField(settings)], [], columns);
    this.properties = createMapper(settings.properties, [], columns);
  }

  steps(entry: PlanEntry): readonly Step<Event>[] {
    if (entry.line === undefined) {
      return [];
    }
    const row = valuesOf(entry.line, this.planned.columns);
    const facts = this.facts(entry.key);
    const name = this.name.map(row, facts, nothing)['event'];
    if (typeof name !== 'string' || name === '') {
      throw new Refused('event', 'The row has no name for its event.');
    }
    const item: Event = {
      key: entry.key,
      id: idOf(this.planned.sync.id, entry.key),
      name,
      time: this.timeOf(row),
      person: this.personOf(row),
      properties: this.properties.map(row, facts, nothing),
    };
    return [{ verb: 'send', word: 'sent', item }];
  }

  /** The newest (or oldest) moment of these rows and the one known before, as digits. */
  bound(known: string | null, lines: readonly Buffer[], which: 'newest' | 'oldest'): string | null {
    let bound: bigint | undefined = known === null ? undefined : BigInt(known);
    for (const line of lines) {
      const text = valuesOf(line, this.planned.columns)[this.timeAt];
      const moment = text === null || text === undefined ? undefined : momentOf(text);
      if (moment !== undefined) {
        const better = bound === undefined || (which === 'newest' ? moment > bound : moment < bound);
        bound = better ? moment : bound;
      }
    }
    return bound === undefined ? null : String(bound);
  }

  /** A time that is still to come must not move the window past what will happen until then. */
  untilNow(moment: string | null): string | null {
    const now = BigInt(this.planned.now().getTime()) * 1000n;
    return moment !== null && this.isTime && BigInt(moment) > now ? String(now) : moment;
  }

  private personOf(row: RowValues): Event['person'] {
    const person: Record<string, string> = {};
    for (const [name, column] of Object.entries(this.settings.person)) {
      const value = row[this.planned.columns.indexOf(column)]?.trim();
      if (value !== undefined && value !== '') {
        person[name] = value;
      }
    }
    if (Object.keys(person).length === 0) {
      throw new Refused(
        Object.keys(this.settings.person).join(', '),
        'The row does not say whom it is about.',
      );
    }
    return person;
  }
}

function nothing(): undefined {
  return undefined;
}

/** The same for the same row for ever: never random, never the run's, so that a repeat is known as one. */
function idOf(syncId: number, key: string): string {
  return createHash('sha256').update(`${syncId}\n${key}`).digest('hex').slice(0, 32);
}

/** Reads when a row happened: a time, or a number of seconds or milliseconds since 1970. */
function timeReader(column: Column, at: number): (row: RowValues) => string {
  const spec: FieldSpec = { name: column.name, label: column.name, type: 'time', required: true, key: false };
  const convert = converterTo(spec, column);
  return (row) => {
    const text = row[at];
    if (text === null || text === undefined) {
      throw new Refused(column.name, `The row has no ${column.name}.`);
    }
    if (column.type !== 'number') {
      return String(convert(text));
    }
    const number = Number(text);
    const moment = new Date(Math.abs(number) < 1e11 ? number * 1000 : number);
    if (Number.isNaN(moment.getTime())) {
      throw new Refused(column.name, `${column.name} is no time.`);
    }
    return moment.toISOString();
  };
}
