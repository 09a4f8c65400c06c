import { newSyncOf } from './syncs/kind.ts';
import { records } from './syncs/records.ts';

export const newSync = newSyncOf(records, {
  name: 'new-sync',
  title: 'New sync',
  summary: 'Sends rows to a CRM, a database or an event tool, and keeps them in step.',
  example: '/activate new-sync',
});
