import type { Connections } from '../connections.ts';
import type { Files, StoredFile } from '../contracts/destination.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import type { DeliveryParts } from '../delivery/changes.ts';
import { insist } from '../delivery/insist.ts';
import type { Rehearsal } from '../delivery/rehearsal.ts';
import { columnsOf, rowOf, valuesOf } from '../delivery/rows.ts';
import { compress, extensions } from '../files/compress.ts';
import { encodeCsv } from '../files/csv.ts';
import { compileName, type FileName } from '../files/name.ts';
import { encodeNdjson } from '../files/ndjson.ts';
import type { RowValues } from '../mapping/mapper.ts';
import { type FilesSettings, filesSettings } from '../model/files.ts';
import type { Row } from '../personal/mask.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { connectionById } from '../store/connections.ts';
import { noteCounts, type RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import type { Framework, PlannedRun } from './framework.ts';

export interface FilesParts extends DeliveryParts {
  readonly connections: Connections;
}

/** Rows become a file per run, or several parts, each there under its name only once it is complete. */
export function createFiles(parts: FilesParts): Framework {
  return {
    id: 'files',
    request: (sync, model) => {
      const { columns, content } = settingsOf(sync);
      const wanted = columns.length > 0 ? columns : model.columns.map((column) => column.name);
      return {
        columns: [...new Set([...model.key, ...wanted])],
        kind: content === 'full' ? 'everything' : 'difference',
        silentFirst: false,
      };
    },
    objection: () => undefined,
    deliver: (planned) => deliver(parts, planned),
  };
}

function settingsOf(sync: Sync): FilesSettings {
  return filesSettings.parse(sync.settings);
}

type Written = NonNullable<RunCounts['files']>[number];

async function deliver(parts: FilesParts, planned: PlannedRun): Promise<RunCounts> {
  const { sync, run, counts } = planned;
  const settings = settingsOf(sync);
  const record = await connectionById(parts.db, 'destination', sync.destinationId as number);
  const files = await parts.connections.part(record, 'files');
  const name = compileName(settings.path, sync.timeZone);
  const splits = settings.splitRows !== undefined || settings.splitBytes !== undefined;
  if (splits && !name.uses.includes('part')) {
    throw new ActivateError(
      'CONFIG_INVALID',
      'A file that is split into parts needs {{ part }} in its name.',
      {
        fix: 'Edit the sync, and put {{ part }} into the file name.',
      },
    );
  }
  const total = counts.added + counts.changed + counts.removed;
  if (parts.rehearsal !== undefined) {
    return rehearse(parts.rehearsal, planned, { settings, name, total });
  }
  // Parts that an interrupted attempt finished are there.
  const written: Written[] = [...(run.counts.files ?? [])];
  const rowsIn = (): number => written.reduce((sum, one) => sum + one.rows, 0);
  const toWrite = (): boolean =>
    rowsIn() < total || (written.length === 0 && total === 0 && settings.whenEmpty === 'write');
  while (toWrite()) {
    const part = new Part(planned, settings, rowsIn());
    written.push(await write(parts, planned, files, { settings, name, part, number: written.length + 1 }));
    await noteCounts(parts.db, run.id, { files: written });
  }
  for await (const chunk of planned.chunks()) {
    await planned.commit(chunk.seq, 'all');
  }
  return { files: written, done: rowsIn() > 0 ? { 'written to files': rowsIn() } : {} };
}

/** What the first file would be called and hold: its beginning as text where it is text. */
async function rehearse(
  rehearsal: Rehearsal,
  planned: PlannedRun,
  { settings, name, total }: { settings: FilesSettings; name: FileName; total: number },
): Promise<RunCounts> {
  const { sync, run, model, now } = planned;
  const facts = { at: run.startedAt ?? now(), model: model.name, sync: sync.name, run: String(run.id) };
  const path = packed(name.render({ ...facts, part: 1 }), settings);
  const pieces: Uint8Array[] = [];
  for await (const piece of new Part(planned, { ...settings, compression: 'none' }, 0).bytes()) {
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  const begins = settings.format === 'parquet' ? undefined : bytes.subarray(0, beginsWith).toString('utf8');
  const first = await firstRows(planned);
  rehearsal.would({ word: 'written to files', key: path, item: { path, rows: total, begins } }, () => first);
  return {};
}

/** As many rows as the beginning of a file can hold. */
async function firstRows(planned: PlannedRun): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const { entries } of planned.chunks()) {
    rows.push(
      ...entries.slice(0, beginsWith / 2 - rows.length).map((entry) => rowOf(entry, planned.columns)),
    );
    if (rows.length >= beginsWith / 2) {
      break;
    }
  }
  return rows;
}

/** A compressed file says so in its name, whether or not whoever named it thought of that. */
function packed(path: string, { compression }: FilesSettings): string {
  const extension = extensions[compression];
  return path.endsWith(extension) ? path : `${path}${extension}`;
}

const beginsWith = 1500;

interface Writing {
  readonly settings: FilesSettings;
  readonly name: FileName;
  readonly part: Part;
  readonly number: number;
}

async function write(
  parts: FilesParts,
  planned: PlannedRun,
  files: Files,
  { settings, name, part, number }: Writing,
): Promise<Written> {
  const { sync, run, model, signal, now } = planned;
  const facts = { at: run.startedAt ?? now(), model: model.name, sync: sync.name, run: String(run.id) };
  const path = packed(name.render({ ...facts, part: number }), settings);
  const mark = `activate-${sync.id}-${run.id}-${number}`;
  const file = { path, contentType: contentTypes[settings.format], mark, overwrite: settings.overwrite };
  const destinationId = sync.destinationId as number;
  const stored = await insist<StoredFile>(
    { ...parts, now, destinationId, paceMs: 0, signal },
    async (again) => {
      const call = {
        signal,
        again: again || run.attempts > 1,
        run: String(run.id),
        ticket: undefined,
        keep: async () => undefined,
      };
      return files.put(file, () => part.bytes(), call);
    },
  );
  return { place: files.locate(path), rows: await part.rows(), bytes: stored.bytes };
}

const contentTypes = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
} as const;

function sizeOf(row: RowValues): number {
  return row.reduce((sum, value) => sum + (value?.length ?? 0), 0);
}

/** One file: the rows of the plan from a place on, until a limit is reached. Gives the same bytes each time. */
class Part {
  private readonly planned: PlannedRun;
  private readonly settings: FilesSettings;
  private readonly from: number;
  private readonly columns: readonly Column[];
  private readonly positions: readonly number[];
  private taken = 0;
  private complete = false;
  private raw = 0;

  constructor(planned: PlannedRun, settings: FilesSettings, from: number) {
    this.planned = planned;
    this.settings = settings;
    this.from = from;
    const all = columnsOf(planned);
    const wanted =
      settings.columns.length > 0 ? settings.columns : planned.model.columns.map((column) => column.name);
    this.positions = wanted.map((name) => planned.columns.indexOf(name));
    const change: readonly Column[] = this.saysChange()
      ? [{ name: settings.changeColumn, type: 'text', native: 'text' }]
      : [];
    this.columns = [...this.positions.map((at) => all[at] as Column), ...change];
  }

  bytes(): AsyncIterable<Uint8Array> {
    this.taken = 0;
    this.raw = 0;
    this.complete = false;
    return compress(this.counted(this.encoded()), this.settings.compression);
  }

  /** How many rows the file holds; a destination that had the file already did not ask for its bytes. */
  async rows(): Promise<number> {
    if (!this.complete) {
      for await (const _bytes of this.bytes()) {
        // Read for the count alone.
      }
    }
    return this.taken;
  }

  private async *encoded(): AsyncGenerator<Uint8Array> {
    const { format, delimiter, header, nulls, forSpreadsheets } = this.settings;
    switch (format) {
      case 'csv':
        yield* encodeCsv(this.values(), this.columns, {
          delimiter,
          header,
          nullText: nulls,
          bom: forSpreadsheets,
          spreadsheet: forSpreadsheets,
        });
        return;
      case 'ndjson':
        yield* encodeNdjson(this.values(), this.columns);
        return;
      case 'parquet': {
        const { encodeParquet } = await import('../files/parquet.ts');
        yield* encodeParquet(this.values(), this.columns);
        return;
      }
      default:
        format satisfies never;
    }
  }

  private async *counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const asItComes = this.settings.format !== 'parquet';
    for await (const piece of pieces) {
      this.raw += asItComes ? piece.length : 0;
      yield piece;
    }
    this.complete = true;
  }

  private async *values(): AsyncGenerator<RowValues> {
    const { splitRows = Number.POSITIVE_INFINITY, splitBytes = Number.POSITIVE_INFINITY } = this.settings;
    let at = 0;
    for await (const entries of this.planned.allEntries()) {
      this.planned.signal.throwIfAborted();
      for (const entry of entries) {
        if (entry.silent) {
          continue;
        }
        at += 1;
        if (at > this.from) {
          if (this.taken >= splitRows || this.raw >= splitBytes) {
            return;
          }
          yield this.take(entry);
        }
      }
    }
  }

  private take(entry: PlanEntry): RowValues {
    this.taken += 1;
    const row = this.rowOf(entry);
    // Parquet is written many rows at once: what it takes in is counted instead.
    this.raw += this.settings.format === 'parquet' ? sizeOf(row) : 0;
    return row;
  }

  private rowOf(entry: PlanEntry): RowValues {
    const row = valuesOf(entry.line ?? entry.previous ?? Buffer.alloc(0), this.planned.columns);
    const values = this.positions.map((at) => row[at] ?? null);
    return this.saysChange() ? [...values, entry.kind] : values;
  }

  private saysChange(): boolean {
    return this.settings.content === 'changes' && this.settings.changeColumn !== '';
  }
}
