import { encodeLine } from '../contracts/lines.ts';
import { decodeEntries } from '../planner/chunks.ts';
import { decodeLine, sortKey } from '../planner/keys.ts';
import type { Layout } from '../run/read.ts';
import type { Why, WhyStep } from '../services.ts';
import { deliveriesOf } from '../store/deliveries.ts';
import { mailsOf } from '../store/mails.ts';
import { modelById } from '../store/models.ts';
import { rejectionOf } from '../store/rejections.ts';
import type { Sync } from '../store/syncs.ts';
import { tasksOf } from '../store/tasks.ts';
import type { VerbParts } from './parts.ts';

interface PlannedIn {
  readonly runId: number;
  readonly at: Date;
  readonly cause: string;
  readonly person: string | null;
  readonly approvedBy: string | null;
  readonly layout: Layout;
  readonly entries: Buffer;
  readonly state: string;
}

const mostRuns = 200;

/**
 * What became of one row: when it entered, changed and left, and what was answered. Runs whose plans are no longer kept
 * are not in it.
 */
export async function whyOf(parts: VerbParts, sync: Sync, key: string): Promise<Why> {
  const { db, told } = parts;
  const model = await modelById(db, sync.modelId);
  const values = model.key.length > 1 ? key.split(' / ') : [key];
  const [row, rejection, tasks, messages, mails, steps] = await Promise.all([
    told.get(sync.id, values),
    rejectionOf(db, sync.id, key),
    tasksOf(db, sync.id, [key]),
    deliveriesOf(db, sync.id, key, 20),
    mailsOf(db, sync.id, key, 20),
    stepsOf(parts, sync, key, values),
  ]);
  return { sync, key, row, rejection, task: tasks.get(key), messages, mails, steps };
}

async function stepsOf(
  { db }: VerbParts,
  sync: Sync,
  key: string,
  values: readonly string[],
): Promise<readonly WhyStep[]> {
  const layouts = await db.query<{ key: string }>(
    `select distinct layout->>'key' as key from runs where sync_id = $1 and layout is not null`,
    [sync.id],
  );
  const steps: WhyStep[] = [];
  for (const { key: written } of layouts) {
    const orders = JSON.parse(written) as Layout['key'];
    const found = await db.query<PlannedIn>(
      `select r.id as "runId", coalesce(r.finished_at, r.started_at, r.created_at) as at, r.cause, w.name as person,
              (select string_agg(v.person, ', ' order by v.at) from holds h join votes v on v.hold_id = h.id
                where h.run_id = r.id and v.approves) as "approvedBy",
              r.layout, p.entries, p.state
         from plan_chunks p join runs r on r.id = p.run_id left join people w on w.id = r.requested_by
        where r.sync_id = $1 and r.layout->>'key' = $4 and p.first_key <= $2 and p.last_key >= $2
        order by r.id desc limit $3`,
      [sync.id, sortKey(encodeLine(values), 0, orders), mostRuns, written],
    );
    steps.push(...found.flatMap((planned) => stepOf(planned, key)));
  }
  return steps.sort((a, b) => b.runId - a.runId);
}

function stepOf(planned: PlannedIn, key: string): readonly WhyStep[] {
  const { layout } = planned;
  const entry = decodeEntries(planned.entries, layout.key.length).find((one) => one.key === key);
  if (entry === undefined || entry.silent) {
    return [];
  }
  const read = (line: Buffer | undefined): readonly (string | null)[] =>
    line === undefined ? [] : decodeLine(line, layout.columns);
  const now = read(entry.line);
  const before = read(entry.previous);
  const changed = entry.kind === 'changed' ? layout.columns.filter((_, at) => now[at] !== before[at]) : [];
  const { runId, at, cause, person, approvedBy } = planned;
  return [
    {
      runId,
      at,
      cause,
      person,
      approvedBy,
      kind: entry.kind,
      changed,
      delivered: planned.state === 'committed',
    },
  ];
}
