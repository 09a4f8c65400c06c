import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Tasks } from '../../engine/contracts/destination.ts';
import type { Option } from '../../engine/contracts/form.ts';
import { keptForAMinute } from '../shared/kept.ts';
import { nothingOn } from '../shared/thrown.ts';
import { type Asana, openAsana, pages, read } from './client.ts';
import { config, type Settings, settingsOf } from './config.ts';
import { type CustomField, customField, specsOf } from './fields.ts';
import { create, findExternal, findMarked, isMarkField, update } from './tasks.ts';

/** Tasks in projects of Asana. */
export const asana = defineConnector({
  id: 'asana',
  name: 'Asana',
  summary: 'Makes tasks in projects of Asana, and keeps them in step with their rows.',
  config,
  offers: ['tasks'],
  hosts: ['app.asana.com'],
  api: { version: '1.0' },
  setup: [
    'Best, invite a user of its own for Activate, and add it to the projects that tasks are for. Tasks come in its name.',
    'As that user, make a personal access token at [app.asana.com/0/my-apps](https://app.asana.com/0/my-apps). On Enterprise the token of a service account does too.',
    'Or sign in as an app: make one in the same place, give it the scopes `tasks:read`, `tasks:write`, `stories:write`, `projects:read`, `users:read`, `workspaces:read` and `workspaces.typeahead:read`, let the user allow it, and paste its client ID, client secret and refresh token.',
    'With a token, the last line of the description holds a mark by which a task is found again after a crash. To keep it out of there, add a text field to the project and name it under "Field for the mark". An app keeps its mark out of sight.',
    'Asana notifies the assignee and followers of each new task. There is no way to make one quietly.',
  ],
  verified: 'A server of ours that answers as documented; not yet Asana itself.',
  tried: ['description', 'ours'],
  open: async (values, context) => {
    const settings = settingsOf(values);
    const api = await openAsana(settings, context);
    return {
      tasks: tasksOf(api, settings, context.now),
      check: () => check(api, settings),
      close: async () => undefined,
    };
  },
});

function tasksOf(api: Asana, settings: Settings, now: () => Date): Tasks {
  const fieldsOf = keptForAMinute(now, (project: string, signal: AbortSignal) =>
    readFields(api, project, signal),
  );
  return {
    // Of 15 writes at once that a token may have.
    limits: { rows: 1, concurrency: 4, paceMs: 60_000 / settings.requestsPerMinute },
    // What is read is what was written; a request that broke off may still be at work.
    findLagMs: 10_000,
    projects: (typed) => projectsOf(api, typed),
    fields: async (project) => {
      const fields = await fieldsOf.fresh(project, AbortSignal.timeout(30_000));
      return specsOf(fields.filter((field) => !isMarkField(field, settings)));
    },
    create: async (task, signal) => {
      const needed = settings.markField !== undefined || Object.keys(task.fields).length > 0;
      const fields = needed ? await fieldsOf.kept(task.project, signal) : [];
      return create(api, settings, task, fields, signal);
    },
    find: (project, mark, since, signal) =>
      settings.login.type === 'app'
        ? findExternal(api, mark, signal)
        : findMarked(api, project, mark, since, signal),
    state: async (id, signal) => {
      const found = await unlessGone(api.task(id, ['completed'], signal));
      return found === undefined ? 'gone' : read(completion, found).completed ? 'closed' : 'open';
    },
    update: (id, change, signal) => update(api, id, change, signal),
    comment: (id, text, signal) => api.comment(id, text, signal),
    close: (id, signal) => api.change(id, { completed: true }, signal),
    reopen: (id, signal) => api.change(id, { completed: false }, signal),
  };
}

async function check(api: Asana, { login }: Settings): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(30_000);
  await api.me(signal);
  const workspaces = await workspacesOf(api, signal);
  if (login.type === 'app') {
    // Without the right to read tasks each of them would look like one that was hidden from us.
    await findExternal(api, 'check', signal);
  }
  return workspaces.length > 0
    ? []
    : ['The user is in no workspace, so that there is no project to make tasks in.'];
}

const named = z.array(z.object({ gid: z.string(), name: z.string(), archived: z.boolean().nullish() }));
const completion = z.object({ completed: z.boolean() });

async function workspacesOf(api: Asana, signal: AbortSignal) {
  return read(named, await api.workspaces(signal));
}

/** Projects of all workspaces, the best matches of each first. */
async function projectsOf(api: Asana, typed: string): Promise<readonly Option[]> {
  const signal = AbortSignal.timeout(30_000);
  const workspaces = await workspacesOf(api, signal);
  const options: Option[] = [];
  for (const workspace of workspaces) {
    const projects = read(named, await api.projects(workspace.gid, typed.trim(), signal));
    const hint = workspaces.length > 1 ? { hint: workspace.name.slice(0, 75) } : {};
    options.push(
      ...projects
        .filter(({ archived }) => archived !== true)
        .map(({ gid, name }) => ({ value: gid, label: name.slice(0, 75), ...hint })),
    );
  }
  return options.slice(0, 100);
}

async function readFields(api: Asana, project: string, signal: AbortSignal): Promise<readonly CustomField[]> {
  const settings = z.object({ custom_field: customField });
  const fields: CustomField[] = [];
  for await (const one of pages((offset) => api.fields(project, offset, signal))) {
    fields.push(read(settings, one).custom_field);
  }
  return fields;
}

/** Undefined for what is deleted or hidden from us. */
async function unlessGone(reading: Promise<unknown>): Promise<unknown> {
  return reading.catch(nothingOn('NOT_FOUND', 'PERMISSION_DENIED'));
}
