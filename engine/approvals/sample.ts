import { shorten } from '../cards/build.ts';
import type { Sample } from '../cards/hold.ts';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import { type PersonalColumns, personalColumns } from '../personal/columns.ts';
import { maskCells } from '../personal/mask.ts';
import { type ChangeKind, decodeEntries, type PlanEntry } from '../planner/chunks.ts';
import { possibleLines } from '../planner/doubt.ts';
import { decodeLine } from '../planner/keys.ts';
import type { Layout } from '../run/read.ts';
import type { Hold } from '../store/holds.ts';
import type { Plans, StoredPlanChunk } from '../store/plans.ts';
import { asItIs } from './basis.ts';

export interface Wanted {
  readonly show: ChangeKind | 'all';
  readonly limit: number;
  /** Hides what tells who somebody is. */
  readonly masked: boolean;
}

const kinds = ['added', 'changed', 'removed'] as const;
const columnsShown = 8;
const chunksLookedAt = 40;

/** Some of the changes that a hold is about, with as many of each kind as there is room for. */
export async function sampleOf(
  parts: { readonly db: Db; readonly plans: Plans },
  hold: Pick<Hold, 'runId' | 'about' | 'syncs'>,
  wanted: Wanted,
): Promise<Sample> {
  const { totals } = hold.about;
  if (hold.runId === null || totals === undefined) {
    throw new ActivateError('INPUT_INVALID', 'A change of the settings has no rows to show.');
  }
  const shown = kinds.filter((kind) => (wanted.show === 'all' || wanted.show === kind) && totals[kind] > 0);
  const layout = await layoutOf(parts.db, hold.runId);
  const room = Math.max(1, Math.floor(wanted.limit / Math.max(1, shown.length)));
  const entries = await collect(parts.plans, hold.runId, { layout, shown, room });
  const columns = layout.columns.slice(0, columnsShown);
  const personal = wanted.masked ? await personalOf(parts.db, hold) : new Map();
  const rows = entries.map(({ kind, line, previous }) => {
    const [before] = previous === undefined ? [] : possibleLines(previous, layout.columns.length);
    const values = decodeLine((line ?? before ?? previous) as Buffer, layout.columns).slice(0, columnsShown);
    const shownValues = wanted.masked ? maskCells(values, columns, personal) : values;
    return [kind, ...shownValues.map((value) => (value === null ? '∅' : shorten(value, 60)))];
  });
  const total = shown.reduce((sum, kind) => sum + totals[kind], 0);
  return { columns: ['Change', ...columns], rows, total };
}

async function personalOf(db: Db, { syncs }: Pick<Hold, 'syncs'>): Promise<PersonalColumns> {
  const planned = await asItIs(db, syncs[0] ?? 0);
  return planned === undefined ? new Map() : personalColumns(planned.model.columns, planned.model.personal);
}

async function layoutOf(db: Db, runId: number): Promise<Layout> {
  const [row] = await db.query<{ layout: Layout | null }>('select layout from runs where id = $1', [runId]);
  if (row?.layout == null) {
    throw new ActivateError('NOT_FOUND', 'The plan of this run is not kept any more.');
  }
  return row.layout;
}

async function collect(
  plans: Plans,
  runId: number,
  {
    layout,
    shown,
    room,
  }: { readonly layout: Layout; readonly shown: readonly ChangeKind[]; readonly room: number },
): Promise<readonly PlanEntry[]> {
  const found = new Map<ChangeKind, PlanEntry[]>(shown.map((kind) => [kind, []]));
  let looked = 0;
  for await (const chunk of plans.read(runId)) {
    const open = shown.filter((kind) => (found.get(kind)?.length ?? 0) < room);
    if (open.length === 0 || looked >= chunksLookedAt) {
      break;
    }
    looked += 1;
    for (const entry of holdsAny(chunk, open) ? decodeEntries(chunk.entries, layout.key.length) : []) {
      const some = found.get(entry.kind);
      if (some !== undefined && some.length < room && !entry.silent) {
        some.push(entry);
      }
    }
  }
  return [...found.values()].flat();
}

function holdsAny(chunk: StoredPlanChunk, shown: readonly ChangeKind[]): boolean {
  return shown.some((kind) => chunk[kind] > 0);
}
