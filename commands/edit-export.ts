import { file } from './syncs/file.ts';
import { editSyncOf } from './syncs/kind.ts';

export const editExport = editSyncOf(file, {
  name: 'edit-export',
  title: 'Edit an export',
  summary: 'Changes an export, in the same steps in which it was made.',
  example: '/activate edit-export orders-to-s3',
});
