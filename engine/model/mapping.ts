import { z } from 'zod';

/** Facts about the run that a field can be filled with. */
export const metas = {
  synced_at: 'When the run began',
  run: 'The number of the run',
  sync: 'The name of the sync',
  model: 'The name of the model',
  key: 'The key of the row',
} as const;
export type Meta = keyof typeof metas;

/** Where a field's value comes from. */
export const origin = z.discriminatedUnion('type', [
  z.object({ type: z.literal('column'), column: z.string() }),
  z.object({ type: z.literal('static'), value: z.union([z.string(), z.number(), z.boolean(), z.null()]) }),
  z.object({ type: z.literal('template'), template: z.string() }),
  z.object({ type: z.literal('meta'), name: z.enum(Object.keys(metas) as [Meta, ...Meta[]]) }),
  /** The id of the record of `object` whose field `by` has what the column says. */
  z.object({ type: z.literal('lookup'), object: z.string(), by: z.string(), column: z.string() }),
]);
export type Origin = z.output<typeof origin>;

/** One field of the destination and what fills it. */
export const mappedField = z.object({
  field: z.string(),
  from: origin,
  /** What an empty value does: empty the field, or leave it as it is. */
  nulls: z.enum(['send', 'keep']).default('send'),
  onlyIfEmpty: z.boolean().default(false),
});
export type MappedField = z.output<typeof mappedField>;
