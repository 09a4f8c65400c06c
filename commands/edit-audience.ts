import { audience } from './syncs/audience.ts';
import { editSyncOf } from './syncs/kind.ts';

export const editAudience = editSyncOf(audience, {
  name: 'edit-audience',
  title: 'Edit an audience',
  summary: 'Changes an audience, in the same steps in which it was made.',
  example: '/activate edit-audience spring-buyers',
});
