import type { ChangeGate } from '../approvals/changes.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import type { Rehearsal } from '../delivery/rehearsal.ts';
import { describedWhole } from '../document/declared.ts';
import type { Framework } from '../frameworks/framework.ts';
import { type DryRun, rehearseRows, rehearseRun } from '../run/rehearse.ts';
import { nextRun } from '../schedule/cron.ts';
import type { Finding, Services, SyncDraft } from '../services.ts';
import { type DeliveryFramework, parseSettings } from '../setup/index.ts';
import { problem } from '../setup/problem.ts';
import { connectionNamed } from '../store/connections.ts';
import { type Model, modelById } from '../store/models.ts';
import { createPlans } from '../store/plans.ts';
import { openRejections, reasonsOf, skipRejections } from '../store/rejections.ts';
import { listSyncs, muteSync, pauseSync, resumeSync, type Sync, syncNamed } from '../store/syncs.ts';
import { detailOf } from './describe.ts';
import type { Examiner } from './examine.ts';
import type { VerbParts } from './parts.ts';
import { createSync, updateSettings, verified } from './sync-changes.ts';
import { whyOf } from './why.ts';

/** Syncs of every framework: looking at them, making them, and what became of their rows. */
export function syncVerbs(parts: VerbParts, examiner: Examiner, gate: ChangeGate): Services['syncs'] {
  const named = (name: string): Promise<Sync> => syncNamed(parts.db, name);
  return {
    list: async () => Promise.all((await listSyncs(parts.db)).map((sync) => detailOf(parts, sync))),
    show: async (name) => detailOf(parts, await named(name)),
    check: (draft) => check(parts, examiner, draft),
    rehearse: (draft, finding) => rehearseDraft(parts, draft, finding),
    dryRun: async (name) => dryRun(parts, await named(name)),
    create: (draft, by) => createSync(parts, examiner, gate, draft, by),
    update: (name, draft, by) => updateSettings(parts, examiner, gate, { name, draft, by }),
    pause: async (name) => pauseSync(parts.db, (await named(name)).id),
    resume: async (name) => {
      const sync = await named(name);
      const at = nextRun(sync, parts.now());
      await resumeSync(parts.db, sync.id, at ?? null);
      return at;
    },
    remove: async (name, by) => {
      const sync = await named(name);
      const before = describedWhole(await detailOf(parts, sync));
      await gate.pass({ kind: 'delete', name }, { syncs: [sync], before, after: null }, by);
    },
    mute: async (name, until) => {
      const sync = await named(name);
      if (until !== null && sync.framework !== 'notify' && sync.framework !== 'mail') {
        const message = `${name} speaks to nobody, so that there is nothing to mute.`;
        throw problem('name', message, `To stop it, say: /activate pause ${name}.`);
      }
      await muteSync(parts.db, sync.id, until);
    },
    reasons: async (name) => reasonsOf(parts.db, (await named(name)).id),
    rejections: async (name, reason, limit) => {
      const sync = await named(name);
      return openRejections(parts.db, sync.id, reason, limit);
    },
    skip: async (name, which) => skipRejections(parts.db, (await named(name)).id, which),
    why: async (name, key) => whyOf(parts, await named(name), key),
  };
}

/** The framework of a draft, rehearsing. */
function rehearsing(parts: VerbParts, framework: DeliveryFramework): (rehearsal: Rehearsal) => Framework {
  return (rehearsal) => {
    const made = parts.frameworks(rehearsal).get(framework);
    if (made === undefined) {
      throw new ActivateError('BUG', `There is no framework ${framework}.`);
    }
    return made;
  };
}

async function check(
  parts: VerbParts,
  examiner: Examiner,
  draft: SyncDraft,
): Promise<{ readonly warnings: readonly string[]; readonly columns: readonly Column[] }> {
  const columns = await examiner.columns(draft.source, draft.sql);
  const warnings = await verified(parts, draft, columns);
  return { warnings, columns };
}

async function rehearseDraft(parts: VerbParts, draft: SyncDraft, finding: Finding): Promise<DryRun> {
  const destination = await connectionNamed(parts.db, 'destination', draft.destination);
  const model: Model = {
    id: 0,
    name: draft.model ?? draft.name,
    sourceId: 0,
    sql: draft.sql,
    key: draft.key,
    columns: finding.columns,
  };
  const sync = unsaved(draft, destination.id);
  const make = rehearsing(parts, draft.framework);
  const signal = AbortSignal.timeout(60_000);
  return rehearseRows(parts, sync, model, finding.sample.rows, make, signal);
}

/** A draft as the sync that it would be. */
function unsaved(draft: SyncDraft, destinationId: number): Sync {
  return {
    id: 0,
    name: draft.name,
    framework: draft.framework,
    modelId: 0,
    destinationId,
    settings: parseSettings(draft.framework, draft.settings),
    cron: draft.schedule.cron,
    timeZone: draft.schedule.timeZone,
    state: 'active',
    nextDueAt: null,
    reportTo: null,
    mutedUntil: null,
    failingSince: null,
    failure: null,
    version: 1,
    resend: false,
    policy: {},
    wrote: false,
    createdBy: null,
  };
}

async function dryRun(parts: VerbParts, sync: Sync): Promise<DryRun> {
  if (sync.framework === 'notify') {
    throw new ActivateError('INPUT_INVALID', `${sync.name} is an alert.`, {
      fix: `To see its message, say: /activate test ${sync.name}.`,
    });
  }
  const model = await modelById(parts.db, sync.modelId);
  const reading = { ...parts, plans: createPlans(parts.db), readTimeoutMs: 5 * 60_000 };
  const make = rehearsing(parts, sync.framework);
  return rehearseRun(reading, sync, model, make, AbortSignal.timeout(6 * 60_000));
}
