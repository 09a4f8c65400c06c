import { editSyncOf } from './syncs/kind.ts';
import { records } from './syncs/records.ts';

export const editSync = editSyncOf(records, {
  name: 'edit-sync',
  title: 'Edit a sync',
  summary: 'Changes a sync of records or events, in the same steps in which it was made.',
  example: '/activate edit-sync contacts-to-crm',
});
