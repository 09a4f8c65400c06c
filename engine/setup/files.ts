import { compileName } from '../files/name.ts';
import type { FilesSettings } from '../model/files.ts';
import type { About } from './about.ts';
import { mustBeAmong, problem } from './problem.ts';

/** Whether files can be written like this; sentences about what may go wrong all the same. */
export async function checkFiles(
  settings: FilesSettings,
  { columns, key, timeZone }: About,
): Promise<readonly string[]> {
  const names = columns.map((column) => column.name);
  for (const column of settings.columns) {
    mustBeAmong('columns', column, names, 'column');
  }
  if (settings.content === 'changes' && key.length === 0) {
    throw problem('key', 'Choose the column that tells rows apart.', 'Without it changes can not be told.');
  }
  const { uses } = compileName(settings.path, timeZone);
  const splits = settings.splitRows !== undefined || settings.splitBytes !== undefined;
  if (splits && !uses.includes('part')) {
    throw problem('path', 'A file that is split into parts needs {{ part }} in its name.');
  }
  const alike = !uses.some((name) => ['run', 'min'].includes(name));
  return alike && !settings.overwrite
    ? [
        'Two runs can come to the same file name: the second one fails. Put {{ run }} into it, or let files be replaced.',
      ]
    : [];
}
