import { z } from 'zod';

export const fileContents = {
  full: 'All rows',
  changes: 'Only what changed since the last file',
} as const;

export const fileFormats = {
  csv: 'CSV',
  ndjson: 'JSON, a row per line',
  parquet: 'Parquet',
} as const;

export const fileCompressions = { none: 'None', gzip: 'gzip', zstd: 'zstd' } as const;

/** The settings of a sync of framework files. */
export const filesSettings = z.object({
  content: z.enum(Object.keys(fileContents) as [keyof typeof fileContents, ...(keyof typeof fileContents)[]]),
  /** Below the destination's folder; with date parts, the model, the run and the part. */
  path: z.string(),
  format: z.enum(Object.keys(fileFormats) as [keyof typeof fileFormats, ...(keyof typeof fileFormats)[]]),
  compression: z
    .enum(
      Object.keys(fileCompressions) as [keyof typeof fileCompressions, ...(keyof typeof fileCompressions)[]],
    )
    .default('none'),
  /** Columns in their order; all of the model when empty. */
  columns: z.array(z.string()).default([]),
  /** With `changes`: a column that says added, changed or removed. Empty for none. */
  changeColumn: z.string().default('_change'),
  delimiter: z.enum([',', ';', '\t', '|']).default(','),
  header: z.boolean().default(true),
  /** How an empty value is written in CSV. */
  nulls: z.string().default(''),
  /** A byte order mark, and values that look like formulas made harmless: for people who open it in a spreadsheet. */
  forSpreadsheets: z.boolean().default(false),
  splitRows: z.number().int().min(1).optional(),
  splitBytes: z
    .number()
    .int()
    .min(64 * 1024)
    .optional(),
  overwrite: z.boolean().default(false),
  /** Whether a run without rows writes a file that has none. */
  whenEmpty: z.enum(['skip', 'write']).default('skip'),
});
export type FilesSettings = z.output<typeof filesSettings>;
