import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Files } from '../../engine/contracts/destination.ts';
import { config, type Settings, settingsOf } from './config.ts';
import { told } from './errors.ts';
import { baseOf, partOf, publish, putFile, statFile } from './write.ts';

/** A folder of the machine that Activate runs on: where a network drive is mounted, say. */
export const folder = defineConnector({
  id: 'folder',
  name: 'Folder',
  summary:
    'Writes files to a folder of the machine that Activate runs on, as one where a network drive is mounted.',
  config,
  offers: ['files'],
  hosts: [],
  setup: [
    'An admin names one folder in `ALLOWED_FOLDER` and starts Activate again; each machine with a worker needs it at the same place. Connections write there or below, and nowhere else: whoever may edit them must not reach the rest of the machine. Without it there are none.',
    'Give the user that Activate runs as the right to make, rename and delete files there.',
    'For a network drive (NFS, SMB), give a folder inside of it. While it is not mounted that folder is not there, and nothing is written to the empty place where it should be.',
    'Files are written under a hidden name (`.name.….part`) and get their own once they are whole and on the disk, so that whoever takes them away never meets half a file. Nothing that is there is replaced unless the sync allows it.',
    'A folder that a link leads to is written to only when it is below that of the connection too.',
  ],
  verified: 'Tested with real folders, a full and a read-only file system among them; not over NFS or SMB.',
  tried: ['software'],
  open: async (values, context) => {
    const settings = settingsOf(values, context.allowedFolder);
    return {
      files: filesOf(settings),
      check: () => check(settings),
      close: async () => undefined,
    };
  },
});

function filesOf(settings: Settings): Files {
  return {
    put: (file, body, call) => putFile(settings, file, body, call),
    stat: (path) => statFile(settings, path),
    locate: (path) => join(settings.folder, path),
  };
}

/** Writes a small file as files are written, and removes it. */
async function check(settings: Settings): Promise<readonly string[]> {
  const path = `.activate-check-${randomBytes(6).toString('hex')}`;
  const place = join(await baseOf(settings), path);
  const part = partOf(place, 'check');
  try {
    const text = 'Activate wrote this to see whether it can. It may be deleted.\n';
    await told('make a file', writeFile(part, text, { flag: 'wx' }));
    const inOneStep = await publish(part, place, { path, overwrite: false });
    await told('remove a file', rm(place));
    return inOneStep
      ? []
      : [
          'This file system knows no links: a file that somebody else makes in the same moment under the same name would be replaced.',
        ];
  } finally {
    await rm(part, { force: true }).catch(() => undefined);
  }
}
