import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Raw } from '../contracts/refs.ts';
import type { DbtModel, ManifestAbout } from '../dbt/model.ts';
import type { Place } from '../dbt/settings.ts';

/** A dbt project as stored; `secrets` is sealed. */
export interface DbtProject {
  readonly id: number;
  readonly name: string;
  readonly sourceId: number;
  readonly source: string;
  readonly place: Place;
  readonly config: Raw;
  readonly secrets: string;
  readonly about: ManifestAbout | null;
  readonly mark: string | null;
  readonly environment: string | null;
  readonly readAt: Date | null;
  readonly trouble: string | null;
}

const fields = `p.id, p.name, p.source_id as "sourceId", s.name as source, p.place, p.config, p.secrets, p.about, p.mark,
  p.environment, p.read_at as "readAt", p.trouble`;
const from = 'dbt_projects p join sources s on s.id = p.source_id';

export async function listProjects(sql: Sql): Promise<readonly DbtProject[]> {
  return sql.query<DbtProject>(`select ${fields} from ${from} order by p.name`);
}

export async function findProject(sql: Sql, name: string): Promise<DbtProject | undefined> {
  const [found] = await sql.query<DbtProject>(`select ${fields} from ${from} where p.name = $1`, [name]);
  return found;
}

export async function projectById(sql: Sql, id: number): Promise<DbtProject | undefined> {
  const [found] = await sql.query<DbtProject>(`select ${fields} from ${from} where p.id = $1`, [id]);
  return found;
}

/** Throws NOT_FOUND with the names there are. */
export async function projectNamed(sql: Sql, name: string): Promise<DbtProject> {
  const found = await findProject(sql, name);
  if (found === undefined) {
    const all = (await listProjects(sql)).map((one) => one.name);
    const sentence = `There is no dbt project "${name}".`;
    throw new ActivateError('NOT_FOUND', sentence, {
      fix: all.length === 0 ? 'Connect one first: /activate dbt-connect.' : `There is: ${all.join(', ')}.`,
      fields: { project: sentence },
    });
  }
  return found;
}

/** Stores a project, or replaces the one of that name. Its manifest is read anew where it comes from elsewhere. */
export async function saveProject(
  sql: Sql,
  project: Pick<DbtProject, 'name' | 'sourceId' | 'place' | 'config' | 'secrets'> & {
    readonly createdBy: number | null;
  },
): Promise<number> {
  const [saved] = await sql.query<{ id: number }>(
    `insert into dbt_projects as p (name, source_id, place, config, secrets, created_by)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (name) do update set source_id = $2, place = $3, config = $4, secrets = $5, trouble = null,
       look_at = now(), mark = null, about = case when p.place = $3 and p.config = $4 then p.about end
     returning id`,
    [
      project.name,
      project.sourceId,
      project.place,
      JSON.stringify(project.config),
      project.secrets,
      project.createdBy,
    ],
  );
  return (saved as { id: number }).id;
}

/** Takes the projects that are due to be looked at; nobody else looks at them until then. */
export async function claimLooks(sql: Sql, now: Date, next: Date): Promise<readonly number[]> {
  const rows = await sql.query<{ id: number }>(
    `update dbt_projects set look_at = $2 where id in
       (select id from dbt_projects where look_at <= $1 order by look_at limit 10 for update skip locked) returning id`,
    [now, next],
  );
  return rows.map((row) => row.id);
}

export async function noteTrouble(sql: Sql, id: number, trouble: string | null): Promise<void> {
  await sql.query('update dbt_projects set trouble = $2 where id = $1', [id, trouble]);
}

export interface Read {
  readonly about: ManifestAbout;
  readonly models: readonly DbtModel[];
  readonly mark: string;
  readonly environment: string | undefined;
}

const atOnce = 500;

/**
 * Replaces what is kept of a manifest; false when a newer one is kept already, and nothing is changed. `sql` is a
 * transaction's.
 */
export async function keepManifest(sql: Sql, id: number, read: Read, now: Date): Promise<boolean> {
  const [row] = await sql.query<{ about: ManifestAbout | null }>(
    'select about from dbt_projects where id = $1 for update',
    [id],
  );
  const kept = row?.about?.generatedAt;
  const given = read.about.generatedAt;
  if (
    row === undefined ||
    (kept !== undefined && given !== undefined && Date.parse(given) < Date.parse(kept))
  ) {
    return false;
  }
  for (let at = 0; at < read.models.length; at += atOnce) {
    const some = read.models.slice(at, at + atOnce);
    await sql.query(
      `insert into dbt_models (project_id, unique_id, name, model)
       select $1, m->>'uniqueId', m->>'name', m from jsonb_array_elements($2::jsonb) m
       on conflict (project_id, unique_id) do update set name = excluded.name, model = excluded.model
         where dbt_models.model is distinct from excluded.model`,
      [id, JSON.stringify(some)],
    );
  }
  await sql.query('delete from dbt_models where project_id = $1 and not unique_id = any($2)', [
    id,
    read.models.map((model) => model.uniqueId),
  ]);
  await sql.query(
    `update dbt_projects set about = $2, mark = $3, environment = coalesce($4, environment), read_at = $5, trouble = null
      where id = $1`,
    [id, JSON.stringify(read.about), read.mark, read.environment ?? null, now],
  );
  return true;
}

/** A model with what its runs told of it. */
export interface KeptModel extends DbtModel {
  readonly builtAt: Date | null;
}

interface Row {
  readonly model: DbtModel;
  readonly built_at: Date | null;
}

function kept({ model, built_at }: Row): KeptModel {
  return { ...model, builtAt: built_at };
}

export async function allModels(sql: Sql, projectId: number): Promise<readonly KeptModel[]> {
  const rows = await sql.query<Row>(
    'select model, built_at from dbt_models where project_id = $1 order by name, unique_id',
    [projectId],
  );
  return rows.map(kept);
}

/** Models by their unique id or their name, all packages together. */
export async function modelsCalled(
  sql: Sql,
  projectId: number,
  called: string,
): Promise<readonly KeptModel[]> {
  const rows = await sql.query<Row>(
    `select model, built_at from dbt_models
      where project_id = $1 and (name = $2 or unique_id = $2 or model->>'package' || '.' || name = $2) order by unique_id`,
    [projectId, called],
  );
  return rows.map(kept);
}

/** Models whose name, description or tags hold what was typed; those whose name begins with it first. */
export async function searchModels(
  sql: Sql,
  sourceId: number,
  typed: string,
  limit: number,
): Promise<readonly (KeptModel & { readonly project: string; readonly namesakes: number })[]> {
  const pattern = `%${typed.replaceAll(/[\\%_]/g, '\\$&')}%`;
  const rows = await sql.query<Row & { readonly project: string; readonly namesakes: number }>(
    `select m.model, m.built_at, p.name as project,
            (select count(*) from dbt_models o where o.project_id = m.project_id and o.name = m.name) as namesakes
       from dbt_models m join dbt_projects p on p.id = m.project_id
      where p.source_id = $1 and (m.model->>'enabled')::boolean and (m.model ? 'relation' or m.model ? 'compiled')
        and (m.name ilike $2 or m.model->>'description' ilike $2 or (m.model->'tags')::text ilike $2
             or m.model->>'owner' ilike $2)
      order by m.name ilike $3 desc, m.name ilike $2 desc, m.name, m.unique_id limit $4`,
    [sourceId, pattern, pattern.slice(1), limit],
  );
  return rows.map((row) => ({ ...kept(row), project: row.project, namesakes: row.namesakes }));
}

/** How many models there are, and in which schemas. */
export async function countModels(
  sql: Sql,
  projectId: number,
): Promise<{ readonly models: number; readonly schemas: readonly string[] }> {
  const [row] = await sql.query<{ models: number; schemas: readonly string[] | null }>(
    `select count(*) as models, array_agg(distinct model->>'schema') filter (where model ? 'schema') as schemas
       from dbt_models where project_id = $1 and (model->>'enabled')::boolean and model ? 'relation'`,
    [projectId],
  );
  return { models: row?.models ?? 0, schemas: row?.schemas ?? [] };
}

export async function noteBuilt(
  sql: Sql,
  projectId: number,
  uniqueIds: readonly string[],
  at: Date,
): Promise<void> {
  await sql.query('update dbt_models set built_at = $3 where project_id = $1 and unique_id = any($2)', [
    projectId,
    uniqueIds,
    at,
  ]);
}

/** The dbt model that a query reads. */
export interface DbtLink {
  readonly modelId: number;
  readonly projectId: number;
  readonly project: string;
  readonly uniqueId: string;
  readonly columns: readonly string[];
}

const linkFields = `l.model_id as "modelId", l.project_id as "projectId", p.name as project, l.unique_id as "uniqueId", l.columns`;

export async function linksOf(sql: Sql, projectId?: number): Promise<readonly DbtLink[]> {
  return sql.query<DbtLink>(
    `select ${linkFields} from dbt_links l join dbt_projects p on p.id = l.project_id
      where $1::bigint is null or l.project_id = $1 order by l.model_id`,
    [projectId ?? null],
  );
}

export async function linkOf(sql: Sql, modelId: number): Promise<DbtLink | undefined> {
  const [link] = await sql.query<DbtLink>(
    `select ${linkFields} from dbt_links l join dbt_projects p on p.id = l.project_id where l.model_id = $1`,
    [modelId],
  );
  return link;
}

/** Says which dbt model a query reads; undefined: none. */
export async function linkModel(
  sql: Sql,
  modelId: number,
  link: Pick<DbtLink, 'projectId' | 'uniqueId' | 'columns'> | undefined,
): Promise<void> {
  if (link === undefined) {
    await sql.query('delete from dbt_links where model_id = $1', [modelId]);
    return;
  }
  await sql.query(
    `insert into dbt_links (model_id, project_id, unique_id, columns) values ($1, $2, $3, $4)
     on conflict (model_id) do update set project_id = $2, unique_id = $3, columns = $4`,
    [modelId, link.projectId, link.uniqueId, link.columns],
  );
}
