import { z } from 'zod';

/**
 * Where messages of an alert go. `channel` and `person` are fixed, written as `formatTarget` writes them; the other
 * two read the place from a column of the row: a channel by name or id, or a person by e-mail.
 */
export const alertTarget = z.discriminatedUnion('type', [
  z.object({ type: z.literal('channel'), to: z.string() }),
  z.object({ type: z.literal('person'), to: z.string() }),
  z.object({ type: z.literal('channel-from'), column: z.string() }),
  z.object({ type: z.literal('person-from'), column: z.string() }),
]);
export type AlertTarget = z.output<typeof alertTarget>;

/**
 * What counts as firing. On `value` a row fires when its column does: `above` or `below` the limit, `moved` by more
 * than the limit in percent since the run before, or `unusual`: further than `limit` standard deviations from the mean
 * of its last thirty values. On `count` the number of rows is the value.
 */
export const threshold = z.object({
  on: z.enum(['value', 'count']),
  column: z.string().optional(),
  test: z.enum(['above', 'below', 'moved', 'unusual']),
  limit: z.number(),
});
export type Threshold = z.output<typeof threshold>;

export const triggers = {
  added: 'A row appears',
  changed: 'A row changes',
  removed: 'A row disappears',
  threshold: 'A number crosses a line',
  every: 'Every run: all rows',
} as const;

export const modes = {
  card: 'One live card per row',
  message: 'A message per change',
  digest: 'One digest per run',
} as const;

/** The settings of a sync of framework notify. */
export const alertSettings = z.object({
  trigger: z.enum(Object.keys(triggers) as [keyof typeof triggers, ...(keyof typeof triggers)[]]),
  /** Columns whose change counts (trigger `changed`); all columns when empty. */
  watch: z.array(z.string()).default([]),
  threshold: threshold.optional(),
  /** Heads each card; Liquid. */
  title: z.string(),
  /** The message; Liquid. */
  message: z.string(),
  /** Said when a threshold is no longer crossed; Liquid. */
  recovery: z.string().optional(),
  targets: z.array(alertTarget).min(1),
  /** People to tag in each message, as `formatTarget` writes them. */
  tag: z.array(z.string()).default([]),
  mode: z.enum(Object.keys(modes) as [keyof typeof modes, ...(keyof typeof modes)[]]),
  /** More messages than this in one run become a digest. */
  burst: z.number().int().min(1).default(20),
  /** How long "Not a fit" keeps a row quiet. */
  cooldownDays: z.number().int().min(1).default(90),
  /** The rows that are there at the first run are taken as known, unsaid. */
  silentFirst: z.boolean().default(true),
  /** The platform on which channels and people from columns are looked up. */
  platform: z.enum(['slack', 'teams', 'mattermost', 'local']),
});
export type AlertSettings = z.output<typeof alertSettings>;
