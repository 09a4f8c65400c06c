import { createHash } from 'node:crypto';
import type { Connections } from '../connections.ts';
import type { NewTask, TaskRef, Tasks } from '../contracts/destination.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { DeliveryParts } from '../delivery/changes.ts';
import { type InsistParts, inParallel, insist } from '../delivery/insist.ts';
import type { Rehearsal } from '../delivery/rehearsal.ts';
import { columnsOf, factsOf, rowMask, rowOf, valuesOf } from '../delivery/rows.ts';
import { Tally } from '../delivery/tally.ts';
import { Refused } from '../mapping/convert.ts';
import { columnsRead, createMapper, type Facts, type Mapper, rowText } from '../mapping/mapper.ts';
import { type TasksSettings, tasksSettings } from '../model/tasks.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { connectionById } from '../store/connections.ts';
import type { Model } from '../store/models.ts';
import { healRejections, noteRejections, noteSkipped, rowsToSkip } from '../store/rejections.ts';
import { noteCounts, type RunCounts } from '../store/runs.ts';
import type { Sync } from '../store/syncs.ts';
import { dropTask, noteTask, openTask, type TaskRecord, tasksOf } from '../store/tasks.ts';
import { compileText, type TextTemplate } from '../template/template.ts';
import type { Framework, PlannedRun, PlanTotals } from './framework.ts';

export interface TasksParts extends DeliveryParts {
  readonly connections: Connections;
}

/** Rows become tickets: one for each, for ever. */
export function createTasks(parts: TasksParts): Framework {
  return {
    id: 'tasks',
    request: (sync, model) => {
      const settings = settingsOf(sync);
      return {
        columns: [...new Set([...model.key, ...columnsOfTask(settings, model)])],
        kind: 'difference',
        silentFirst: settings.silentFirst,
      };
    },
    objection: (sync, totals) => objectionTo(settingsOf(sync), totals),
    deliver: (planned) => deliver(parts, planned),
  };
}

function settingsOf(sync: Sync): TasksSettings {
  return tasksSettings.parse(sync.settings);
}

function columnsOfTask(settings: TasksSettings, model: Model): readonly string[] {
  const { title, body, assignee, due, fields } = settings;
  return [
    ...compileText(title, model.columns).columns,
    ...compileText(body, model.columns).columns,
    ...[assignee, due].filter((name) => name !== undefined),
    ...columnsRead(fields, model.columns),
  ];
}

function objectionTo(settings: TasksSettings, { rows, added, removed }: PlanTotals): string | undefined {
  const { atMost, removal, projectName } = settings;
  if (rows === 0 && removed > 0 && removal === 'close') {
    return `The query gave no rows, while ${removed.toLocaleString('en')} had one: all their tasks would be closed.`;
  }
  return added > atMost
    ? `${added.toLocaleString('en')} tasks would be made in ${projectName} at once, more than ${atMost.toLocaleString('en')}.`
    : undefined;
}

async function deliver(parts: TasksParts, planned: PlannedRun): Promise<RunCounts> {
  const { sync, run, now } = planned;
  const { db } = parts;
  const settings = settingsOf(sync);
  const destinationId = sync.destinationId as number;
  const record = await connectionById(db, 'destination', destinationId);
  const tasks = await parts.connections.part(record, 'tasks');
  const tally = new Tally(rowMask(planned), await rowsToSkip(db, sync.id), run.counts);
  const keeper = new Keeper({
    ...parts,
    planned,
    settings,
    tasks,
    tally,
    fields: createMapper(settings.fields, await tasks.fields(settings.project), columnsOf(planned)),
    insistence: {
      ...parts,
      now,
      destinationId,
      paceMs: tasks.limits.paceMs ?? 0,
      signal: planned.signal,
    },
  });
  for await (const chunk of planned.chunks()) {
    if (parts.rehearsal !== undefined) {
      keeper.rehearse(chunk.entries, parts.rehearsal);
      continue;
    }
    const refused = await keeper.keep(chunk.entries);
    const noted = tally.take();
    await noteRejections(db, sync.id, run.id, noted.rejections, now());
    await noteSkipped(db, sync.id, noted.skipped);
    const accepted = chunk.entries.flatMap((entry, at) => (refused.has(entry) ? [] : [at]));
    await planned.commit(chunk.seq, refused.size === 0 ? 'all' : new Set(accepted));
    await noteCounts(db, run.id, noted.counts);
  }
  if (parts.rehearsal === undefined) {
    await healRejections(db, sync.id, run.id);
  }
  return tally.counts();
}

interface KeeperParts extends TasksParts {
  readonly planned: PlannedRun;
  readonly settings: TasksSettings;
  readonly tasks: Tasks;
  readonly tally: Tally;
  readonly fields: Mapper;
  readonly insistence: InsistParts;
}

/** Keeps the tasks of rows in step with them, and keeps its hands off what a person closed. */
class Keeper {
  private readonly parts: KeeperParts;
  private readonly facts: (key: string) => Facts;
  private readonly title: TextTemplate;
  private readonly body: TextTemplate;
  /** Whatever an earlier attempt made was made before this. */
  private readonly began: Date;

  constructor(parts: KeeperParts) {
    this.parts = parts;
    this.began = parts.planned.now();
    this.facts = factsOf(parts.planned);
    this.title = compileText(parts.settings.title, parts.planned.model.columns);
    this.body = compileText(parts.settings.body, parts.planned.model.columns);
  }

  /** The tasks that would be made. What becomes of those that are there depends on their state at the destination. */
  rehearse(entries: readonly PlanEntry[], rehearsal: Rehearsal): void {
    for (const entry of entries) {
      if (entry.silent || entry.kind !== 'added') {
        continue;
      }
      try {
        rehearsal.would({ word: 'made', key: entry.key, item: this.contentOf(entry) }, () => [
          rowOf(entry, this.parts.planned.columns),
        ]);
      } catch (thrown) {
        if (!(thrown instanceof Refused)) {
          throw thrown;
        }
        rehearsal.refuse(entry.key, thrown);
      }
    }
  }

  /** Deals with these changes; answers with those that could not be dealt with. */
  async keep(entries: readonly PlanEntry[]): Promise<ReadonlySet<PlanEntry>> {
    const { db, planned, tasks, tally } = this.parts;
    const refused = new Set<PlanEntry>();
    const loud = entries.filter((entry) => !entry.silent);
    const known = await tasksOf(
      db,
      planned.sync.id,
      loud.map((entry) => entry.key),
    );
    await inParallel(loud, tasks.limits.concurrency, async (entry) => {
      if (tally.isToSkip(entry)) {
        tally.skip(entry);
        return;
      }
      try {
        await this.dealWith(entry, known.get(entry.key));
      } catch (thrown) {
        planned.signal.throwIfAborted();
        refused.add(entry);
        tally.refuse(entry, refusalOf(thrown, entry));
      }
    });
    return refused;
  }

  private async dealWith(entry: PlanEntry, task: TaskRecord | undefined): Promise<void> {
    switch (entry.kind) {
      case 'added':
        return task === undefined || task.state === 'making'
          ? this.make(entry, task)
          : this.comeBack(entry, task);
      case 'changed':
        if (task?.state === 'making') {
          return this.make(entry, task);
        }
        return task !== undefined && this.parts.settings.update ? this.update(entry, task) : undefined;
      case 'removed':
        return task === undefined ? undefined : this.leave(entry, task);
      default:
        return entry.kind satisfies never;
    }
  }

  private async make(entry: PlanEntry, begun: TaskRecord | undefined): Promise<void> {
    const { db, planned, settings, tasks, tally, insistence } = this.parts;
    const { sync, signal, now } = planned;
    const content = this.contentOf(entry);
    const mark = begun?.mark ?? markOf(sync.id, entry.key);
    const task = begun ?? (await openTask(db, sync.id, entry.key, mark, now()));
    let ref = begun === undefined ? undefined : await this.look(task, this.began);
    let tried = now();
    let unsure = false;
    ref ??= await insist(insistence, async (again) => {
      const found = again ? await this.look(task, tried) : undefined;
      unsure = false;
      return (
        found ??
        (await tasks.create({ ...content, mark, project: settings.project }, signal).catch((thrown) => {
          tried = now();
          unsure = mayBeDone(thrown);
          throw thrown;
        }))
      );
    }).catch(async (thrown: unknown) => {
      if (!unsure && asActivateError(thrown).retry === 'never') {
        await dropTask(db, sync.id, entry.key);
      }
      throw thrown;
    });
    const note = ref.note === undefined ? {} : { note: ref.note };
    const made = { state: 'open', externalId: ref.id, url: ref.url, ...note } as const;
    await noteTask(db, sync.id, entry.key, made, now());
    if (ref.note !== undefined) {
      tally.remark(ref.note);
    }
    tally.did('made');
  }

  /** A task that may have been made, until then: it is waited for as long as it may not be found yet. */
  private async look(task: TaskRecord, until: Date): Promise<TaskRef | undefined> {
    const { tasks, planned, settings, insistence, sleep } = this.parts;
    const { signal, now } = planned;
    const early = until.getTime() + tasks.findLagMs - now().getTime();
    if (early > 0) {
      await sleep(early, signal);
    }
    return insist(insistence, () => tasks.find(settings.project, task.mark, task.madeAt, signal));
  }

  /** The row is here again: its task is opened again when it was us who closed it. */
  private async comeBack(entry: PlanEntry, task: TaskRecord): Promise<void> {
    const { settings, tasks, planned, tally } = this.parts;
    if (task.state === 'open') {
      return settings.update ? this.update(entry, task) : undefined;
    }
    if (task.state !== 'closed' || !settings.reopen || task.externalId === null) {
      return;
    }
    const id = task.externalId;
    const state = await this.stateOf(task);
    if (state === 'gone') {
      return;
    }
    if (state === 'closed') {
      await this.insist(() => tasks.reopen(id, planned.signal));
      tally.did('reopened');
    }
    await this.note(entry.key, { state: 'open' });
    await this.say(entry.key, task, 'The row is back.');
  }

  private async update(entry: PlanEntry, task: TaskRecord): Promise<void> {
    const { tasks, planned, tally } = this.parts;
    if (task.state === 'open' && task.externalId !== null && (await this.isOurs(entry.key, task))) {
      const id = task.externalId;
      const content = this.contentOf(entry);
      await this.insist(() => tasks.update(id, content, planned.signal));
      tally.did('updated');
    }
  }

  private async leave(entry: PlanEntry, task: TaskRecord): Promise<void> {
    const { settings, tasks, planned, tally } = this.parts;
    const ours =
      settings.removal !== 'leave' &&
      task.state === 'open' &&
      task.externalId !== null &&
      (await this.isOurs(entry.key, task));
    if (!ours) {
      return;
    }
    await this.say(entry.key, task, rowIsGone);
    if (settings.removal === 'close') {
      await this.insist(() => tasks.close(task.externalId as string, planned.signal));
      await this.note(entry.key, { state: 'closed' });
      tally.did('closed');
    }
  }

  /** Whether a task is still open; what a person closed or deleted is never touched again. */
  private async isOurs(key: string, task: TaskRecord): Promise<boolean> {
    const state = await this.stateOf(task);
    if (state === 'closed') {
      // It was closed by us when that was all that was left to do in this run.
      const byUs = this.parts.settings.removal === 'close' && task.note === this.noteOf(rowIsGone);
      await this.note(key, { state: byUs ? 'closed' : 'closed by a person' });
    }
    return state === 'open';
  }

  private async stateOf(task: TaskRecord): Promise<'open' | 'closed' | 'gone'> {
    const { tasks, planned } = this.parts;
    const id = task.externalId;
    const state = id === null ? 'gone' : await this.insist(() => tasks.state(id, planned.signal));
    if (state === 'gone') {
      await this.note(task.key, { state: 'gone' });
    }
    return state;
  }

  /** Says something in the task, once per run. */
  private async say(key: string, task: TaskRecord, text: string): Promise<void> {
    const { tasks, planned, tally } = this.parts;
    const note = this.noteOf(text);
    if (task.note !== note && task.externalId !== null) {
      const id = task.externalId;
      await this.insist(() => tasks.comment(id, text, planned.signal));
      await noteTask(this.parts.db, planned.sync.id, key, { state: 'open', note }, planned.now());
      tally.did('commented');
    }
  }

  private noteOf(text: string): string {
    return `${text} (run ${this.parts.planned.run.id})`;
  }

  private insist<T>(work: () => Promise<T>): Promise<T> {
    return insist(this.parts.insistence, work);
  }

  private note(key: string, change: Parameters<typeof noteTask>[3]): Promise<void> {
    const { db, planned } = this.parts;
    return noteTask(db, planned.sync.id, key, change, planned.now());
  }

  private contentOf(entry: PlanEntry): Omit<NewTask, 'mark' | 'project'> {
    const { planned, settings, fields } = this.parts;
    const row = valuesOf(entry.line ?? Buffer.alloc(0), planned.columns);
    const texts = rowText(row, planned.columns);
    const title = this.title.render(texts).replaceAll(/\s+/g, ' ').trim();
    if (title === '') {
      throw new Refused('title', 'The row leaves the title of its task empty.');
    }
    const { assignee, due } = settings;
    const who = assignee === undefined ? null : (texts[assignee]?.trim() ?? null);
    const day = due === undefined ? null : (texts[due] ?? null);
    return {
      title,
      body: this.body.render(texts).trim(),
      ...(who === null || who === '' ? {} : { assignee: who }),
      ...(day === null ? {} : { due: dayOf(day) }),
      fields: fields.map(row, this.facts(entry.key), () => undefined),
    };
  }
}

const rowIsGone = 'The row is no longer there.';

/** An answer that never came, a call that was broken off, a mistake of ours: a task may have been made all the same. */
function mayBeDone(thrown: unknown): boolean {
  const { code, retry } = asActivateError(thrown);
  return retry === 'unknown' || code === 'BUG';
}

function dayOf(text: string): string {
  const [day] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  if (day === undefined) {
    throw new Refused('due', 'The day by which it is due is no date.');
  }
  return day;
}

/** The same for the same row for ever. */
function markOf(syncId: number, key: string): string {
  return createHash('sha256').update(`${syncId}\n${key}`).digest('hex').slice(0, 32);
}

/** Codes that are about one task and what it holds; anything else is about the connection and ends the run. */
const aboutTheRow = ['ROW_REJECTED', 'INPUT_INVALID', 'NOT_FOUND', 'EXISTS', 'TEMPLATE_INVALID'];

function refusalOf(
  thrown: unknown,
  entry: PlanEntry,
): { readonly reason: string; readonly field: string | null; readonly operation: string } {
  if (thrown instanceof Refused) {
    return { reason: thrown.reason, field: thrown.field, operation: entry.kind };
  }
  const error = asActivateError(thrown);
  if (!aboutTheRow.includes(error.code)) {
    throw error instanceof ActivateError ? error : thrown;
  }
  return { reason: error.message, field: null, operation: entry.kind };
}
