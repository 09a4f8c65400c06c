import { file } from './syncs/file.ts';
import { newSyncOf } from './syncs/kind.ts';

export const newExport = newSyncOf(file, {
  name: 'new-export',
  title: 'New export',
  summary: 'Writes rows to files on S3, SFTP and the like: all of them, or what changed.',
  example: '/activate new-export',
});
