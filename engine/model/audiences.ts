import { z } from 'zod';
import { mappedField } from './mapping.ts';

/** The settings of a sync of framework audiences. */
export const audiencesSettings = z.object({
  /** The list's id at the destination, and its name when it was chosen. */
  list: z.string(),
  listName: z.string(),
  /** What people are recognised by: the destination's name for it, and the column. */
  identifiers: z
    .record(z.string(), z.string())
    .refine((given) => Object.keys(given).length > 0, 'Map at least one identifier.'),
  traits: z.array(mappedField).default([]),
  /** Two letters: the country of telephone numbers that name none. */
  country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .optional(),
  /** The version of the rules that bring identifiers into form: what was added can only be removed by the same. */
  normaliser: z.number().int().default(1),
  /** This share of people, in percent, always the same ones, is kept off the list, to compare with. */
  holdoutPercent: z.number().min(0).max(90).default(0),
  /** A run that would leave fewer people on the list, or more, stops and asks. */
  atLeast: z.number().int().min(0).default(0),
  atMost: z.number().int().min(1).optional(),
});
export type AudiencesSettings = z.output<typeof audiencesSettings>;
