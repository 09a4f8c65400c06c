import { z } from 'zod';
import { mappedField } from './mapping.ts';

export const taskRemovals = {
  leave: 'Leave the task alone',
  comment: 'Say so in a comment',
  close: 'Close the task',
} as const;

/** The settings of a sync of framework tasks. */
export const tasksSettings = z.object({
  project: z.string(),
  projectName: z.string(),
  /** Liquid over the row. */
  title: z.string(),
  body: z.string(),
  /** The column with the e-mail address of who has to do it. */
  assignee: z.string().optional(),
  /** The column with the day by which it has to be done. */
  due: z.string().optional(),
  fields: z.array(mappedField).default([]),
  /** Brings title, text and fields up to date while the task is open. */
  update: z.boolean().default(false),
  removal: z
    .enum(Object.keys(taskRemovals) as [keyof typeof taskRemovals, ...(keyof typeof taskRemovals)[]])
    .default('leave'),
  /** Opens a task that we closed when its row comes back. */
  reopen: z.boolean().default(true),
  /** Rows that are there at the first run get no task. */
  silentFirst: z.boolean().default(true),
  /** A run that would make more tasks than this stops and asks. */
  atMost: z.number().int().min(1).default(50),
});
export type TasksSettings = z.output<typeof tasksSettings>;
