import { z } from 'zod';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { NewTask, Tasks } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptForAMinute } from '../shared/kept.ts';
import { hasCode } from '../shared/thrown.ts';
import { type Jira, openJira, versions } from './client.ts';
import { config, invalid, type Settings, settingsOf } from './config.ts';
import { read } from './errors.ts';
import { specsOf } from './fields.ts';
import { type CreateForm, createForm } from './forms.ts';
import { moveTo, stateOf } from './moves.ts';
import { personOf } from './people.ts';
import { create, find, projectGone, update } from './tasks.ts';
import { richText } from './text.ts';

/** Issues in projects of Jira, Cloud or Data Center. */
export const jira = defineConnector({
  id: 'jira',
  name: 'Jira',
  summary: 'Makes issues in projects of Jira Cloud or Data Center, and keeps them in step with their rows.',
  config,
  offers: ['tasks'],
  hosts: ['*.atlassian.net', 'api.atlassian.com'],
  api: { version: `${versions.cloud} (Cloud), ${versions.dc} (Data Center)` },
  setup: [
    'Best, make a user of its own for Activate. Issues come in its name.',
    'In each project give it the permissions Browse Projects, Create Issues, Edit Issues, Assign Issues, Transition Issues and Add Comments; and the global permission Browse Users, without which nobody is found by e-mail address.',
    'For Jira Cloud, make an API token as that user at [id.atlassian.com](https://id.atlassian.com/manage-profile/security/api-tokens). It is good for a year at most. A token with scopes needs `read:jira-work`, `write:jira-work` and `read:jira-user`, and `https://api.atlassian.com/ex/jira/` with the id of your site as the base URL.',
    'For Data Center (8.14 or later) make a personal access token in the profile of that user. If Jira is on your own network, an admin lists its host in `ALLOWED_PRIVATE_HOSTS`.',
    'See that the screens for creating and editing issues have the field Labels: each issue gets a label `activate-…` by which it is found again after a crash.',
    'The search of Jira sees new issues late. After a lost answer Activate waits 5 minutes on Cloud, and 30 seconds on Data Center, before it looks whether the issue is there.',
  ],
  verified: 'A server of ours that answers as documented, for both kinds; not yet Jira itself.',
  tried: ['description', 'ours'],
  open: async (values, context) => {
    const settings = settingsOf(values);
    const api = openJira(settings, context);
    return {
      tasks: tasksOf(api, settings, context.now),
      check: () => check(api),
      close: async () => undefined,
    };
  },
});

function tasksOf(api: Jira, { issueType }: Settings, now: () => Date): Tasks {
  const forms = keptForAMinute(now, (name, signal) => {
    const [project = '', type = ''] = JSON.parse(name) as readonly string[];
    return createForm(api, project, type, signal);
  });
  const people = keptForAMinute(now, (address, signal) => personOf(api, address, signal));
  const whoIs = async ({ assignee }: Pick<NewTask, 'assignee'>, signal: AbortSignal) =>
    assignee === undefined ? undefined : people.kept(assignee, signal);
  const formFor = async ({ project, fields }: NewTask, signal: AbortSignal): Promise<CreateForm> => {
    const own = fields['issuetype'] ?? null;
    try {
      return await forms.kept(JSON.stringify([project, own === null ? issueType : String(own)]), signal);
    } catch (error) {
      // A type that a row gives is the row's fault, and a missing project nobody's.
      throw hasCode(error, 'NOT_FOUND')
        ? projectGone()
        : own !== null && hasCode(error, 'CONFIG_INVALID')
          ? new ActivateError(
              'ROW_REJECTED',
              'The project has no issue type that the row gives, or none with labels.',
            )
          : error;
    }
  };
  return {
    limits: { rows: 1, concurrency: 5 },
    findLagMs: api.flavor === 'cloud' ? 5 * 60_000 : 30_000,
    projects: (typed) => projectsOf(api, typed.trim()),
    fields: async (project) => {
      const signal = AbortSignal.timeout(30_000);
      const { fields, typeNames } = await forms.fresh(JSON.stringify([project, issueType]), signal);
      const type = { name: 'issuetype', label: 'Issue type', type: 'text', options: typeNames } as const;
      return [{ ...type, required: false, key: false }, ...specsOf(fields)];
    },
    create: async (task, signal) => {
      const form = await formFor(task, signal);
      return create(api, task, form, await whoIs(task, signal), signal);
    },
    find: (_project, mark, _since, signal) => find(api, mark, signal),
    state: (id, signal) => stateOf(api, id, signal),
    update: async (id, change, signal) => update(api, id, change, await whoIs(change, signal), signal),
    comment: async (id, text, signal) => {
      await api.post(`/issue/${id}/comment`, { body: richText(api.flavor, text) }, signal);
    },
    close: (id, signal) => moveTo(api, id, ['done'], signal),
    reopen: (id, signal) => moveTo(api, id, ['new', 'indeterminate'], signal),
  };
}

async function check(api: Jira): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(30_000);
  const { deploymentType } = await api.server(signal);
  const isCloud = deploymentType === 'Cloud';
  if (isCloud !== (api.flavor === 'cloud')) {
    throw invalid(
      'flavor',
      `This is Jira ${isCloud ? 'Cloud' : 'Data Center'}.`,
      'Choose that kind of Jira, and a token that goes with it.',
    );
  }
  await api.get('/myself', {}, signal);
  const shape = z.object({ permissions: z.record(z.string(), z.object({ havePermission: z.boolean() })) });
  const { permissions } = read(
    shape,
    await api.get('/mypermissions', { permissions: Object.keys(rights).join(',') }, signal),
  );
  return Object.entries(rights).flatMap(([name, warning]) =>
    permissions[name]?.havePermission === false ? [warning] : [],
  );
}

const rights = {
  CREATE_ISSUES: 'The user may not create issues in any project.',
  EDIT_ISSUES: 'The user may not edit issues in any project, so that none can be brought up to date.',
  TRANSITION_ISSUES:
    'The user may not move issues in any project, so that none can be closed or opened again.',
  ADD_COMMENTS: 'The user may not add comments in any project.',
  USER_PICKER: 'The user may not browse users, so that nobody is found by e-mail address.',
} as const;

const projects = z.array(z.object({ id: z.string(), key: z.string(), name: z.string() }));

/** By id, which stays the same when a project gets another key. */
async function projectsOf(api: Jira, typed: string): Promise<Options> {
  const signal = AbortSignal.timeout(30_000);
  const found =
    api.flavor === 'cloud'
      ? read(
          z.object({ values: projects }),
          await api.get('/project/search', { query: typed, action: 'create', maxResults: 100 }, signal),
        ).values
      : read(projects, await api.get('/project', {}, signal));
  return found
    .filter(({ key, name }) => `${name} ${key}`.toLowerCase().includes(typed.toLowerCase()))
    .slice(0, 100)
    .map(({ id, key, name }) => ({ value: id, label: `${name.slice(0, 60)} (${key})` }));
}
