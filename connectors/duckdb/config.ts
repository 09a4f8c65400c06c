import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';

/** What a connection needs. */
export const config = {
  path: field.text({
    label: 'File or folder',
    placeholder: 'warehouse/jaffle.duckdb',
    help: 'Below the folder of ALLOWED_FOLDER: a DuckDB file, or a CSV, Parquet or NDJSON file, or a folder of such.',
    max: 500,
  }),
  memoryMb: field.optional(
    field.number({
      label: 'Memory in MB',
      min: 250,
      max: 1_000_000,
      whole: true,
      help: 'What is larger goes to disk meanwhile. Leave it empty for 512.',
    }),
  ),
  threads: field.optional(
    field.number({ label: 'Threads', min: 1, max: 256, whole: true, help: 'Leave it empty for 2.' }),
  ),
};

export interface Settings {
  /** The folder that an admin has set free, in full. */
  readonly root: string;
  /** The file or folder to read, in full: the root or below it. */
  readonly path: string;
  readonly memoryMb: number;
  readonly threads: number;
}

/**
 * Reads the fields; CONFIG_INVALID names the one at fault. `root` comes from whoever runs the installation: those who
 * edit connections must not read whatever this process may.
 */
export function settingsOf(
  { path, memoryMb = 512, threads = 2 }: Values<typeof config>,
  root: string | undefined,
): Settings {
  if (root === undefined) {
    throw new ActivateError('CONFIG_INVALID', 'This installation reads no files of its own machine.', {
      fix: 'Ask an admin to name a folder for it in ALLOWED_FOLDER.',
    });
  }
  const whole = resolve(root, path);
  if (!isWithin(root, whole) || path.includes('\0')) {
    throw invalid(
      'This path is not below the folder of ALLOWED_FOLDER.',
      'Give it as seen from there, without “..”.',
    );
  }
  return { root, path: whole, memoryMb, threads };
}

/** Whether a path is this folder or below it, both in full and without links. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export function invalid(message: string, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { path: message } });
}
