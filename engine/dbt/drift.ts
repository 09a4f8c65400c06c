import { type Drift, driftCard, driftOverCard, mustPause } from '../cards/dbt.ts';
import type { Connections } from '../connections.ts';
import type { Db } from '../contracts/db.ts';
import { asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import type { Column } from '../contracts/source.ts';
import type { Framework } from '../frameworks/framework.ts';
import { nextRun } from '../schedule/cron.ts';
import { connectionById } from '../store/connections.ts';
import { allModels, type DbtLink, type KeptModel, linkModel, linksOf } from '../store/dbt.ts';
import { type DbtNotice, endNotice, keepNotice, openNotice } from '../store/dbt-events.ts';
import { type Model, modelById } from '../store/models.ts';
import { type FrameworkId, pauseSync, resumeSync, type Sync, syncsOfModel } from '../store/syncs.ts';
import { queryOf } from './link.ts';

export interface DriftParts {
  readonly db: Db;
  readonly connections: Connections;
  readonly frameworks: ReadonlyMap<FrameworkId, Framework>;
  readonly now: () => Date;
  readonly log: Log;
}

const describeMs = 20_000;

/**
 * Compares what syncs read with the manifest that is kept, and with the warehouse where it answers. What would break, or send rows
 * of a table that nobody builds any more, is paused and said; what is well again goes on.
 */
export async function checkDrift(parts: DriftParts, projectId: number): Promise<void> {
  const links = await linksOf(parts.db, projectId);
  const models = links.length === 0 ? [] : await allModels(parts.db, projectId);
  for (const link of links) {
    await checkLink(parts, link, models);
  }
}

async function checkLink(parts: DriftParts, link: DbtLink, models: readonly KeptModel[]): Promise<void> {
  const model = await modelById(parts.db, link.modelId);
  const dbt = models.find((one) => one.uniqueId === link.uniqueId);
  const built = dbt === undefined || !dbt.enabled ? undefined : await described(parts, model);
  let well = true;
  for (const sync of await syncsOfModel(parts.db, link.modelId)) {
    const drift = dbt === undefined ? gone(link, models) : driftOf(parts, { link, dbt, model, sync, built });
    well &&= drift === undefined;
    await settle(parts, sync, drift);
  }
  if (well && dbt !== undefined) {
    await linkModel(parts.db, link.modelId, { ...link, columns: dbt.columns });
  }
}

/** What the warehouse says of the query; undefined when it can't be asked now. */
type Described = { readonly columns: readonly Column[] } | { readonly fails: string };

async function described(parts: DriftParts, model: Model): Promise<Described | undefined> {
  try {
    const source = await parts.connections.source(await connectionById(parts.db, 'source', model.sourceId));
    return { columns: await source.describe(model.sql, { timeoutMs: describeMs }) };
  } catch (thrown) {
    const error = asActivateError(thrown);
    if (error.code === 'SQL_FAILED' || error.code === 'PERMISSION_DENIED') {
      return { fails: error.message };
    }
    parts.log.warn({ model: model.name, code: error.code }, 'the warehouse could not be asked about a model');
    return undefined;
  }
}

/** What most likely took the place of a model that is gone: one of its name elsewhere, or one like it in the same folder. */
function gone(link: DbtLink, models: readonly KeptModel[]): Drift {
  const name = link.uniqueId.split('.').slice(2).join('.');
  const alike = (model: KeptModel): boolean =>
    link.columns.length > 1 && link.columns.every((column) => model.columns.includes(column));
  const enabled = models.filter((model) => model.enabled);
  const successor =
    enabled.find((model) => model.name === name || model.name.startsWith(`${name}.v`)) ?? enabled.find(alike);
  return {
    model: name,
    file: undefined,
    trouble: { kind: 'gone', successor: successor?.name, successorFile: successor?.file },
  };
}

interface Compared {
  readonly link: DbtLink;
  readonly dbt: KeptModel;
  readonly model: Model;
  readonly sync: Sync;
  readonly built: Described | undefined;
}

function driftOf(parts: DriftParts, { link, dbt, model, sync, built }: Compared): Drift | undefined {
  const about = { model: dbt.name, file: dbt.file };
  if (!dbt.enabled) {
    return { ...about, trouble: { kind: 'disabled' } };
  }
  const { relation } = dbt;
  if (
    relation !== undefined &&
    /^select \* from \S+$/.test(model.sql.trim()) &&
    model.sql.trim() !== queryOf(dbt)
  ) {
    return { ...about, trouble: { kind: 'moved', relation } };
  }
  const used = parts.frameworks.get(sync.framework)?.request(sync, model).columns ?? [];
  const columns = built !== undefined && 'columns' in built ? built.columns.map(({ name }) => name) : used;
  const missing = used.filter((name) => !columns.includes(name));
  // Those that somebody had written down, and took out since.
  const dropped = used.filter(
    (name) => link.columns.includes(name.toLowerCase()) && !dbt.columns.includes(name.toLowerCase()),
  );
  if (built !== undefined && 'fails' in built) {
    return { ...about, trouble: { kind: 'fails', reason: built.fails } };
  }
  if (missing.length > 0 || (dropped.length > 0 && dbt.contract)) {
    const names = [...new Set([...missing, ...(dbt.contract ? dropped : [])])];
    return { ...about, trouble: { kind: 'columns', names, certain: true } };
  }
  return dropped.length === 0 || dbt.columns.length === 0
    ? undefined
    : { ...about, trouble: { kind: 'columns', names: dropped, certain: false } };
}

/** Pauses and says, or says that it is over and lets go on what was paused for it. */
async function settle(parts: DriftParts, sync: Sync, drift: Drift | undefined): Promise<void> {
  const open = await openNotice(parts.db, sync.id, 'drift');
  if (drift === undefined) {
    await over(parts, sync, open);
    return;
  }
  const problem = JSON.stringify(drift.trouble);
  if (open?.problem === problem) {
    return;
  }
  const pauses = mustPause(drift) && sync.state === 'active';
  await parts.db.transaction(async (sql) => {
    if (pauses) {
      await pauseSync(sql, sync.id);
    }
    const notice = {
      syncId: sync.id,
      topic: 'drift',
      problem,
      card: driftCard(sync, drift),
      paused: pauses,
    } as const;
    await keepNotice(sql, notice, parts.now());
  });
}

async function over(parts: DriftParts, sync: Sync, open: DbtNotice | undefined): Promise<void> {
  if (open === undefined) {
    return;
  }
  const resumes = open.paused && sync.state === 'paused';
  await parts.db.transaction(async (sql) => {
    if (resumes) {
      await resumeSync(sql, sync.id, nextRun(sync, parts.now()) ?? null);
    }
    await endNotice(sql, open.id, driftOverCard(sync, resumes), parts.now());
  });
}
