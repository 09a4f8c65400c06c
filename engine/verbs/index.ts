import { ActivateError } from '../contracts/errors.ts';
import { formatTarget } from '../contracts/refs.ts';
import type { Services } from '../services.ts';
import { proveSelect } from '../sql/guard.ts';
import { openDrafts } from '../store/drafts.ts';
import { makeLink } from '../store/links.ts';
import { listModels } from '../store/models.ts';
import { recentRuns, requestRun, runById } from '../store/runs.ts';
import { listSources, saveSource, sourceNamed } from '../store/sources.ts';
import { syncNamed } from '../store/syncs.ts';
import { alertVerbs } from './alerts.ts';
import { cardVerbs } from './cards.ts';
import { askLimits, senderOf, type VerbParts } from './parts.ts';
import { placesVerbs } from './places.ts';

/** Builds the verbs that commands use, once per process. */
export function createServices(parts: VerbParts): Services {
  return {
    now: parts.now,
    connectors: parts.connectors,
    sources: sourceVerbs(parts),
    models: { list: () => listModels(parts.db) },
    alerts: alertVerbs(parts),
    runs: runVerbs(parts),
    cards: cardVerbs(parts),
    people: {
      search: (typed, by) => senderOf(parts, by.platform).people(typed),
      identities: async (by) => (await parts.people.identities(Number(by.id))).map(formatTarget),
    },
    places: placesVerbs(parts),
    drafts: { mine: (by) => openDrafts(parts.db, Number(by.id)) },
    formLink: async (command, input, by) => {
      if (parts.publicUrl === undefined) {
        return undefined;
      }
      const origin = { person: by.person, conversation: by.conversation };
      const token = await makeLink(parts.db, { invocation: { command, input }, origin }, parts.now());
      return new URL(`/form/${token}`, parts.publicUrl).href;
    },
  };
}

function sourceVerbs(parts: VerbParts): Services['sources'] {
  const use = async (name: string) => parts.sources.use(await sourceNamed(parts.db, name));
  return {
    list: () => listSources(parts.db),
    connect: async (name, connector, config, by) => {
      const source = await parts.sources.connect(connector.id, config);
      const warnings = await source.check().finally(() => source.close());
      const isSecret = (field: string): boolean => connector.config[field]?.widget.type === 'secret';
      const given = Object.entries(config).filter(
        ([field, value]) => field in connector.config && value !== '',
      );
      await saveSource(parts.db, {
        name,
        connector: connector.id,
        config: Object.fromEntries(given.filter(([field]) => !isSecret(field))),
        secrets: parts.vault.seal(Object.fromEntries(given.filter(([field]) => isSecret(field)))),
        createdBy: Number(by.id),
      });
      return warnings;
    },
    tables: async (name, typed) => (await use(name)).tables(typed),
    selectAll: async (name, table) => (await use(name)).selectAll(table),
    preview: async (name, sql, rows) => {
      const record = await sourceNamed(parts.db, name);
      await proveSelect(sql, parts.sources.dialect(record.connector));
      return (await parts.sources.use(record)).preview(sql, rows, askLimits);
    },
  };
}

const lookEveryMs = 200;

function runVerbs(parts: VerbParts): Services['runs'] {
  return {
    start: async (name, by, cause) => {
      const sync = await syncNamed(parts.db, name);
      const run = await requestRun(parts.db, {
        syncId: sync.id,
        dueAt: parts.now(),
        cause,
        requestedBy: Number(by.id),
        progressTo: by.platform === 'cli' ? null : formatTarget(by.conversation),
      });
      if (run === undefined) {
        throw new ActivateError('INPUT_INVALID', `A run of ${name} is going on just now.`, {
          fix: 'Wait for it to end: its result is in the history.',
        });
      }
      await parts.queue.add([run.id]);
      return run;
    },
    finished: async (runId, timeoutMs) => {
      for (const until = Date.now() + timeoutMs; Date.now() < until; ) {
        const run = await runById(parts.db, runId);
        if (run?.state === 'done' || run?.state === 'failed') {
          return run;
        }
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      }
      throw new ActivateError('UNAVAILABLE', 'The run takes longer than this command waits.', {
        fix: 'It goes on; see its result with: activate history.',
      });
    },
    recent: async (name, limit) => recentRuns(parts.db, (await syncNamed(parts.db, name)).id, limit),
  };
}
