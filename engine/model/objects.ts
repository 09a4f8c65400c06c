import { z } from 'zod';
import { mappedField, origin } from './mapping.ts';

export const objectModes = {
  upsert: 'Add and update',
  insert: 'Only add what is new',
  update: 'Only update what is there',
  mirror: 'Mirror: also when a row leaves',
} as const;

/** What a mirror does to the record of a row that left. */
export const objectRemovals = {
  delete: 'Delete the record',
  archive: 'Set a field that says so',
  clear: 'Empty the mapped fields',
} as const;

/** The settings of a sync of framework objects. */
export const objectsSettings = z.object({
  /** The kind of record at the destination. */
  object: z.string(),
  mode: z.enum(Object.keys(objectModes) as [keyof typeof objectModes, ...(keyof typeof objectModes)[]]),
  /** Fields of the destination that find the record; each of them is among `fields`. */
  match: z.array(z.string()).min(1),
  fields: z.array(mappedField).min(1),
  removal: z
    .enum(Object.keys(objectRemovals) as [keyof typeof objectRemovals, ...(keyof typeof objectRemovals)[]])
    .default('delete'),
  /** The field that marks a record as archived, and what it is set to. */
  archive: z.object({ field: z.string(), from: origin }).optional(),
});
export type ObjectsSettings = z.output<typeof objectsSettings>;
