import type { Tasks } from '../contracts/destination.ts';
import { createMapper } from '../mapping/mapper.ts';
import type { TasksSettings } from '../model/tasks.ts';
import { compileText } from '../template/template.ts';
import type { About } from './about.ts';
import { mustBeAmong, problem } from './problem.ts';

/** Whether tasks can be made like this; sentences about what may go wrong all the same. */
export async function checkTasks(
  settings: TasksSettings,
  tasks: Tasks,
  { columns }: About,
): Promise<readonly string[]> {
  const names = columns.map((column) => column.name);
  compileText(settings.title, columns);
  compileText(settings.body, columns);
  for (const [field, column] of [
    ['assignee', settings.assignee],
    ['due', settings.due],
  ] as const) {
    if (column !== undefined) {
      mustBeAmong(field, column, names, 'column');
    }
  }
  const specs = await tasks.fields(settings.project);
  createMapper(settings.fields, specs, columns);
  const missing = specs.filter(
    (spec) => spec.required && !settings.fields.some((one) => one.field === spec.name),
  );
  if (missing.length > 0) {
    throw problem('fields', `A task there needs ${missing.map((spec) => spec.name).join(', ')}.`, 'Map it.');
  }
  return [];
}
