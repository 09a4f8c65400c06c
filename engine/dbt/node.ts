import { z } from 'zod';

/**
 * Nodes of a manifest, read with tolerance: Python wrote null where a key has no value, later versions leave the key
 * out, and what has another shape than expected is as if it were not there.
 */
const perhaps = <T extends z.ZodType>(schema: T) =>
  schema
    .nullish()
    .catch(undefined)
    .transform((value) => value ?? undefined);

const text = perhaps(z.string());
const texts = perhaps(z.union([z.string().transform((one) => [one]), z.array(z.string())]));
const anything = perhaps(z.record(z.string(), z.unknown()));

export const metadata = z.looseObject({
  dbt_schema_version: text,
  generated_at: text,
  invocation_id: text,
  project_name: text,
  adapter_type: text,
});

const contract = perhaps(z.looseObject({ enforced: perhaps(z.boolean()) }));

export const node = z.looseObject({
  resource_type: text,
  name: text,
  package_name: text,
  alias: text,
  database: text,
  schema: text,
  relation_name: text,
  columns: perhaps(z.record(z.string(), z.looseObject({ name: text }))),
  config: perhaps(
    z.looseObject({
      materialized: text,
      enabled: perhaps(z.boolean()),
      tags: texts,
      meta: anything,
      unique_key: texts,
      group: text,
      contract,
    }),
  ),
  version: perhaps(z.union([z.string(), z.number()])),
  tags: texts,
  meta: anything,
  group: text,
  description: text,
  depends_on: perhaps(z.looseObject({ nodes: texts })),
  primary_key: texts,
  compiled_code: text,
  original_file_path: text,
  contract,
  attached_node: text,
  column_name: text,
  test_metadata: perhaps(z.looseObject({ name: text, kwargs: anything })),
});

export type Node = z.output<typeof node>;

export const group = z.looseObject({
  name: text,
  owner: perhaps(z.looseObject({ name: text, email: texts })),
});
