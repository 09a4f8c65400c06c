import { z } from 'zod';
import { mappedField, origin } from './mapping.ts';

/** The settings of a sync of framework events. */
export const eventsSettings = z.object({
  /** What the event is called: the same for all rows, or out of the row. */
  event: origin,
  /** The column that says when it happened: a time, or a number that grows. */
  time: z.string(),
  /** Who it is about: the destination's name for it, and the column. */
  person: z.record(z.string(), z.string()),
  properties: z.array(mappedField).default([]),
  /** How long behind the newest row others may still come in, in minutes. */
  lookBackMinutes: z.number().int().min(0).default(60),
  /** The events that are there at the first run are taken as sent. */
  silentFirst: z.boolean().default(true),
});
export type EventsSettings = z.output<typeof eventsSettings>;
