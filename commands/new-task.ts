import { newSyncOf } from './syncs/kind.ts';
import { task } from './syncs/task.ts';

export const newTask = newSyncOf(task, {
  name: 'new-task',
  title: 'New tasks',
  summary: 'Makes a ticket for each row: once, in Asana, Jira, Salesforce and the like.',
  example: '/activate new-task',
});
