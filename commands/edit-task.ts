import { editSyncOf } from './syncs/kind.ts';
import { task } from './syncs/task.ts';

export const editTask = editSyncOf(task, {
  name: 'edit-task',
  title: 'Edit a sync of tasks',
  summary: 'Changes a sync of tasks, in the same steps in which it was made.',
  example: '/activate edit-task renewals',
});
