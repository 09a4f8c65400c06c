import type { Sql } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';

/** A SELECT over a source, with its key and the columns it gave when it was last described. */
export interface Model {
  readonly id: number;
  readonly name: string;
  readonly sourceId: number;
  readonly sql: string;
  readonly key: readonly string[];
  readonly columns: readonly Column[];
  /** Columns that tell who somebody is, as somebody named them; null or left out: they are recognised. */
  readonly personal?: readonly string[] | null;
}

const fields = 'id, name, source_id as "sourceId", sql, key, columns, personal';

/** All models, each with its source's name and the syncs that use it. */
export async function listModels(
  sql: Sql,
): Promise<readonly (Model & { readonly usedBy: readonly string[]; readonly source: string })[]> {
  return sql.query(
    `select ${fields}, (select s.name from sources s where s.id = m.source_id) as source,
            array(select s.name from syncs s where s.model_id = m.id order by s.name) as "usedBy"
       from models m order by name`,
  );
}

/** Throws NOT_FOUND with the names there are. */
export async function modelNamed(sql: Sql, name: string): Promise<Model> {
  const [model] = await sql.query<Model>(`select ${fields} from models where name = $1`, [name]);
  if (model === undefined) {
    const all = await sql.query<{ name: string }>('select name from models order by name');
    const sentence = `There is no model "${name}".`;
    throw new ActivateError('NOT_FOUND', sentence, {
      fix:
        all.length === 0
          ? 'A model is made with what uses it.'
          : `There is: ${all.map((one) => one.name).join(', ')}.`,
      fields: { model: sentence },
    });
  }
  return model;
}

/** Says which columns tell who somebody is; null: they are recognised. */
export async function markPersonal(sql: Sql, id: number, personal: readonly string[] | null): Promise<void> {
  await sql.query('update models set personal = $2 where id = $1', [id, personal]);
}

export async function modelById(sql: Sql, id: number): Promise<Model> {
  const [model] = await sql.query<Model>(`select ${fields} from models where id = $1`, [id]);
  if (model === undefined) {
    throw new ActivateError('NOT_FOUND', 'The model of this alert was deleted.');
  }
  return model;
}

/** Stores a model, or replaces the one of that name. Left out, its personal columns are the ones it had. */
export async function saveModel(sql: Sql, model: Omit<Model, 'id'>): Promise<Model> {
  const [saved] = await sql.query<Model>(
    `insert into models (name, source_id, sql, key, columns, personal) values ($1, $2, $3, $4, $5, $6)
     on conflict (name) do update set source_id = $2, sql = $3, key = $4, columns = $5, updated_at = now(),
       personal = case when $7 then $6 else models.personal end
     returning ${fields}`,
    [
      model.name,
      model.sourceId,
      model.sql,
      model.key,
      JSON.stringify(model.columns),
      model.personal ?? null,
      model.personal !== undefined,
    ],
  );
  return saved as Model;
}

/** Deletes a model that no sync uses any more. */
export async function dropModelIfUnused(sql: Sql, id: number): Promise<void> {
  await sql.query(
    'delete from models m where id = $1 and not exists (select from syncs s where s.model_id = m.id)',
    [id],
  );
}
