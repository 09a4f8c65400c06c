import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { field, type Values } from '../../engine/contracts/form.ts';

/** What a connection needs. */
export const config = {
  folder: field.optional(
    field.text({
      label: 'Folder',
      placeholder: 'partners/acme',
      help: 'Below the folder of ALLOWED_FOLDER, and it has to be there. Leave it empty for that folder itself.',
      max: 500,
    }),
  ),
};

export interface Settings {
  /** The folder that an admin has set free, in full. */
  readonly root: string;
  /** The connection's own, in full: the root or below it. */
  readonly folder: string;
}

/**
 * Reads the fields; CONFIG_INVALID names the one at fault. `root` comes from whoever runs the installation: those who
 * edit connections and syncs must not write wherever this process may.
 */
export function settingsOf({ folder = '' }: Values<typeof config>, root: string | undefined): Settings {
  if (root === undefined) {
    throw new ActivateError('CONFIG_INVALID', 'This installation writes no files to its own machine.', {
      fix: 'Ask an admin to name a folder for it in ALLOWED_FOLDER, or choose another destination.',
    });
  }
  const whole = resolve(root, folder);
  if (!isWithin(root, whole) || folder.includes('\0')) {
    throw invalid(
      'This folder is not below the one of ALLOWED_FOLDER.',
      'Give it as seen from there, without “..”.',
    );
  }
  return { root, folder: whole };
}

/** Whether a path is this folder or below it, both in full and without links. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export function invalid(message: string, fix: string): ActivateError {
  return new ActivateError('CONFIG_INVALID', message, { fix, fields: { folder: message } });
}
