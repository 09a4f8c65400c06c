import { shorten } from '../cards/build.ts';
import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Option } from '../contracts/form.ts';
import type { Raw } from '../contracts/refs.ts';
import type { Exposed } from '../dbt/exposures.ts';
import { hear } from '../dbt/hear.ts';
import { modelAt, queryOf, referenceTo } from '../dbt/link.ts';
import { readManifest } from '../dbt/manifest.ts';
import { isSecret, settingsIn } from '../dbt/settings.ts';
import { refresh, type TendParts, tendDbt } from '../dbt/tend.ts';
import { modelWarnings, projectWarnings } from '../dbt/warn.ts';
import { Rehearsal } from '../delivery/rehearsal.ts';
import type { DbtDraft, DbtState, Services, SyncDetail } from '../services.ts';
import { connectionNamed } from '../store/connections.ts';
import {
  countModels,
  type DbtProject,
  findProject,
  keepManifest,
  linksOf,
  listProjects,
  modelsCalled,
  projectNamed,
  saveProject,
  searchModels,
} from '../store/dbt.ts';
import { lastEvent } from '../store/dbt-events.ts';
import type { VerbParts } from './parts.ts';

const offered = 60;

/** dbt projects: connecting them, choosing among their models, and hearing of their runs. */
export function dbtVerbs(parts: VerbParts, syncs: () => Promise<readonly SyncDetail[]>): Services['dbt'] {
  const tending: TendParts = { ...parts, reader: parts.dbt, frameworks: parts.frameworks(new Rehearsal()) };
  return {
    list: async () => Promise.all((await listProjects(parts.db)).map((project) => stateOf(parts, project))),
    connect: (draft, by) => connect(parts, draft, by),
    refresh: async (name) => {
      const project = await projectNamed(parts.db, name);
      await refresh(tending, { ...project, mark: null }, AbortSignal.timeout(5 * 60_000));
      return stateOf(parts, await projectNamed(parts.db, name));
    },
    search: async (source, typed) => search(parts, source, typed),
    model: async (reference) => {
      const { model } = await modelAt(parts.db, reference);
      return { model, sql: queryOf(model), warnings: modelWarnings(model) };
    },
    hasWebhook: async (reference) => {
      const { project } = await modelAt(parts.db, reference);
      return 'webhook' in parts.vault.unseal(project.secrets);
    },
    exposures: async (name) => exposures(parts, name, await syncs()),
    hear: (name, request) => hear(parts, name, request),
    tend: (signal) => tendDbt(tending, signal),
  };
}

async function search(parts: VerbParts, source: string, typed: string): Promise<readonly Option[]> {
  const { id } = await connectionNamed(parts.db, 'source', source);
  const found = await searchModels(parts.db, id, typed.replace(/^dbt:/, ''), offered);
  return found.map((model) => ({
    value: `dbt:${referenceTo(model.project, model, model.namesakes)}`,
    label: shorten(`${model.name} (dbt)`, 75),
    hint: shorten(
      [model.owner, model.tags.map((tag) => `#${tag}`).join(' '), model.description]
        .filter(Boolean)
        .join(' · '),
      75,
    ),
  }));
}

/** Reads the manifest for real, and stores the project once that went well: a wrong token must not pass. */
async function connect(parts: VerbParts, draft: DbtDraft, by: Caller): Promise<DbtState> {
  const { name, place } = draft;
  const source = await connectionNamed(parts.db, 'source', draft.source);
  const before = await findProject(parts.db, name);
  const given = { ...keptSecrets(parts, before, draft), ...withoutEmpty(draft.given) };
  const settings = settingsIn(place, given);
  const part = (secret: boolean): Raw =>
    Object.fromEntries(Object.entries(settings).filter(([field]) => isSecret(field) === secret));
  const project = {
    name,
    sourceId: source.id,
    place,
    config: part(false),
    secrets: parts.vault.seal(part(true)),
    mark: null,
    createdBy: Number(by.id),
  };
  const found = await parts.dbt.manifest(project, AbortSignal.timeout(5 * 60_000));
  if (found === 'same') {
    throw new ActivateError('BUG', 'A manifest that nobody has read can not be the same.');
  }
  const { about, models } = await readManifest(found.bytes);
  const { mark, environment } = found;
  await parts.db.transaction(async (sql) => {
    const id = await saveProject(sql, project);
    await keepManifest(sql, id, { about, models, mark, environment }, parts.now());
  });
  return stateOf(parts, await projectNamed(parts.db, name));
}

/** What is stored stays where a form leaves it empty, unless it would be sent to another address than it was given for. */
function keptSecrets(parts: VerbParts, before: DbtProject | undefined, { place, given }: DbtDraft): Raw {
  const same =
    before?.place === place &&
    ['baseUrl', 'url'].every((field) => (given[field] ?? '') === (before.config[field] ?? ''));
  return before !== undefined && same ? parts.vault.unseal(before.secrets) : {};
}

function withoutEmpty(given: Raw): Raw {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value.trim() !== ''));
}

async function stateOf(parts: VerbParts, project: DbtProject): Promise<DbtState> {
  const { models, schemas } = await countModels(parts.db, project.id);
  const source = await connectionNamed(parts.db, 'source', project.source);
  const hook = `/hooks/dbt/${project.name}`;
  const hasWebhook = 'webhook' in parts.vault.unseal(project.secrets);
  const event = await lastEvent(parts.db, project.id);
  return {
    project,
    models,
    schemas,
    warnings: projectWarnings(project, source.connector, schemas),
    webhook: hasWebhook
      ? parts.publicUrl === undefined
        ? hook
        : new URL(hook, parts.publicUrl).href
      : undefined,
    lastEvent: event,
  };
}

async function exposures(
  parts: VerbParts,
  name: string | undefined,
  details: readonly SyncDetail[],
): Promise<string> {
  const projects = name === undefined ? await listProjects(parts.db) : [await projectNamed(parts.db, name)];
  const [project] = projects;
  if (project === undefined || projects.length > 1) {
    const sentence = project === undefined ? 'No dbt project is connected yet.' : 'Say of which dbt project.';
    throw new ActivateError('INPUT_INVALID', sentence, {
      fix:
        project === undefined
          ? 'Connect one first: /activate dbt-connect.'
          : `There is: ${projects.map((one) => one.name).join(', ')}.`,
      fields: { project: sentence },
    });
  }
  const links = await linksOf(parts.db, project.id);
  const exposed: Exposed[] = [];
  for (const detail of details) {
    const link = links.find((one) => one.modelId === detail.model.id);
    const [model] = link === undefined ? [] : await modelsCalled(parts.db, project.id, link.uniqueId);
    if (model !== undefined) {
      exposed.push({ detail, model, owner: await ownerOf(parts, detail.sync.createdBy) });
    }
  }
  const { exposuresFile } = await import('../dbt/exposures.ts');
  return exposuresFile(project.about?.project, exposed, parts.publicUrl);
}

async function ownerOf(parts: VerbParts, id: number | null): Promise<Exposed['owner']> {
  const [owner] = await parts.db.query<{ name: string; email: string | null }>(
    'select name, email from people where id = $1',
    [id],
  );
  return owner;
}
