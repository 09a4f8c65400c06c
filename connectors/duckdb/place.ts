import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { invalid, isWithin, type Settings } from './config.ts';

/** A file of rows that is read like a table. */
export interface DataFile {
  /** What SQL calls it: the name of the file without its ending, or with it where two would be called the same. */
  readonly name: string;
  readonly file: string;
  readonly format: 'csv' | 'parquet' | 'ndjson';
}

/** What a connection leads to, now: a database file of DuckDB, or files that are each a table. Paths in full. */
export type Place =
  | { readonly kind: 'database'; readonly file: string }
  | { readonly kind: 'files'; readonly files: readonly DataFile[] };

/** Looks what is there. CONFIG_INVALID when nothing is, PERMISSION_DENIED when a link leads out of the allowed folder. */
export async function placeOf({ root, path }: Settings): Promise<Place> {
  const [base, real] = await told(Promise.all([realpath(root), realpath(path)]), path);
  if (!isWithin(base, real)) {
    throw new ActivateError('PERMISSION_DENIED', 'A link leads out of the folder that may be read.', {
      fix: 'Replace the link by what it leads to, or have an admin change ALLOWED_FOLDER.',
    });
  }
  const there = await told(stat(real), path);
  if (there.isFile()) {
    const format = formatOf(real);
    return format === undefined
      ? { kind: 'database', file: real }
      : { kind: 'files', files: named([{ file: real, format }]) };
  }
  const found: Omit<DataFile, 'name'>[] = [];
  for (const entry of (await told(readdir(real), path)).toSorted()) {
    const format = entry.startsWith('.') ? undefined : formatOf(entry);
    // What links lead out to is left alone, as is what goes away meanwhile.
    const file = format === undefined ? undefined : await realpath(join(real, entry)).catch(() => undefined);
    if (format !== undefined && file !== undefined && isWithin(base, file) && (await stat(file)).isFile()) {
      found.push({ file, format });
    }
  }
  return { kind: 'files', files: named(found) };
}

const endings: readonly (readonly [ending: RegExp, format: DataFile['format']])[] = [
  [/\.(csv|tsv)(\.gz)?$/i, 'csv'],
  [/\.parquet$/i, 'parquet'],
  [/\.(ndjson|jsonl)(\.gz)?$/i, 'ndjson'],
];

function formatOf(file: string): DataFile['format'] | undefined {
  return endings.find(([ending]) => ending.test(file))?.[1];
}

function named(files: readonly Omit<DataFile, 'name'>[]): readonly DataFile[] {
  const short = files.map(({ file }) =>
    endings.reduce((name, [ending]) => name.replace(ending, ''), basename(file)),
  );
  // SQL does not tell capital letters from small ones.
  const lower = short.map((name) => name.toLowerCase());
  return files.map((one, i) => {
    const name = short[i] ?? '';
    const alone = lower.filter((other) => other === name.toLowerCase()).length === 1;
    return { ...one, name: alone ? name : basename(one.file) };
  });
}

async function told<T>(looking: Promise<T>, path: string): Promise<T> {
  try {
    return await looking;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw invalid(
        `There is no ${path} on this machine.`,
        'Make it there, mount its drive, or correct the path.',
      );
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw new ActivateError('PERMISSION_DENIED', `This machine does not let us read ${path}.`, {
        fix: 'Give the user that Activate runs as the right to read it.',
      });
    }
    throw new ActivateError('UNAVAILABLE', `This machine failed to look at ${path} (${code}).`, {
      fix: 'It is tried again by itself. If it stays so, look at the drive.',
      cause: error,
    });
  }
}
