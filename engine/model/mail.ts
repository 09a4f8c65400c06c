import { z } from 'zod';
import { threshold, triggers } from './alert.ts';

/** A name as lists have it: it stands in a header of each mail. */
const listName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,59}$/, 'A list is named in small letters, digits and dashes.');

/** The settings of a sync of framework mail: one mail to the person in a column, when something happens to the row. */
export const mailSettings = z.object({
  /** The column with the e-mail address. */
  to: z.string(),
  trigger: z
    .enum(Object.keys(triggers) as [keyof typeof triggers, ...(keyof typeof triggers)[]])
    .default('added'),
  /** Columns whose change counts (trigger `changed`); all columns when empty. */
  watch: z.array(z.string()).default([]),
  /** Of a value: a number of rows has nobody to write to. */
  threshold: threshold.optional(),
  /** Liquid over the row. */
  subject: z.string(),
  /** Liquid and the small markup of messages. */
  text: z.string(),
  /** Liquid in HTML; made from the text when left out. */
  html: z.string().optional(),
  /** Small print below each mail: who writes, and where they are found. */
  footer: z.string().default(''),
  /** Each mail has a link to take oneself off the list. */
  unsubscribe: z.boolean().default(true),
  /** What the link is called. */
  unsubscribeLabel: z.string().min(1).default('Unsubscribe'),
  /** Which list people are on; the sync's own name when left out. */
  list: listName.optional(),
  /** A row that was written about once is written about again. */
  repeat: z.boolean().default(false),
  /** The rows that are there at the first run are taken as known, and nobody is written to. */
  silentFirst: z.boolean().default(true),
  /** A run that would send more mails than this stops and asks. */
  atMost: z.number().int().min(1).default(200),
});
export type MailSettings = z.output<typeof mailSettings>;

/** The list that the mails of a sync belong to. */
export function listOf({ list }: MailSettings, syncName: string): string {
  return list ?? syncName;
}
