import { type AsanaState, asanaFields, startFakeAsana } from '../fakes/asana.ts';
import type { FakeHttp } from '../fakes/http.ts';
import { type JiraState, startFakeJira } from '../fakes/jira.ts';
import { startSalesforce } from '../fakes/salesforce.ts';
import { startFakeZendesk, type ZendeskState, zendeskIds } from '../fakes/zendesk.ts';
import { at } from './addresses.ts';
import { overHttp } from './far-sides.ts';
import { startReceiver, toReceiver } from './receiver.ts';
import { scenario } from './scenario.ts';
import type { FarSide, Play } from './stage.ts';

const play: Play = {
  framework: 'tasks',
  word: 'made',
  changes: { made: 1, updated: 2, commented: 1, closed: 1 },
  wanted: `select 'Call ' || name || ' (' || id || ')' as title, gone as closed from accounts`,
};

const settings = (field: string): string => `
project_name: Customer success
title: Call {{ name }} ({{ id }})
body: Write to {{ email }}.
fields:
  ${field}: plan
update: true
removal: close
silent_first: false
`;

/** The clock of the far side goes as ours does. */
function onTime(fake: FakeHttp<AsanaState> | FakeHttp<JiraState> | FakeHttp<ZendeskState>): void {
  Object.defineProperty(fake.state, 'now', { get: () => new Date() });
}

async function asana(): Promise<FarSide> {
  const fake = await startFakeAsana();
  onTime(fake);
  return {
    ...overHttp(fake, /oauth/),
    connection: (port) => ({
      config: { plan: 'paid', baseUrl: at(fake.url, port) },
      secrets: { token: fake.state.personalToken },
    }),
    settings: `project: '1100000000000000001'${settings(`'${asanaFields.account}'`)}`,
    there: () => fake.state.tasks.map(({ name, completed }) => ({ title: name, closed: completed })),
    refusal: { column: 'plan', bad: 'x'.repeat(2000), reason: /Account/ },
  };
}

async function jira(): Promise<FarSide> {
  const fake = await startFakeJira('cloud');
  onTime(fake);
  const { email, token } = fake.state;
  return {
    ...overHttp(fake, /search/),
    connection: (port) => ({
      config: { flavor: 'cloud', email, baseUrl: at(fake.url, port) },
      secrets: { token },
    }),
    settings: `project: '10001'${settings('customfield_1')}`,
    there: () =>
      fake.state.issues.map(({ fields, status }) => ({
        title: fields.get('summary'),
        closed: status === 'Done',
      })),
    refusal: { column: 'plan', bad: 'x'.repeat(300), reason: /255|long|characters/ },
  };
}

async function salesforce(): Promise<FarSide> {
  const fake = await startSalesforce();
  const { clientSecret = '', baseUrl = '', ...config } = fake.config;
  return {
    ...overHttp(fake, /oauth2/),
    connection: (port) => ({
      config: { ...config, taskKeyField: 'Activate_Key__c', baseUrl: at(baseUrl, port) },
      secrets: { clientSecret },
    }),
    settings: `project: Task${settings('Priority')}`,
    there: () =>
      fake.state.org.rows('Task').map(({ Subject, IsClosed }) => ({ title: Subject, closed: IsClosed })),
    refusal: { column: 'plan', bad: 'refuse me', reason: /Priority/ },
  };
}

async function webhook(): Promise<FarSide> {
  const tasks = new Map<unknown, { title: unknown; closed: boolean }>();
  const fake = await startReceiver(({ type, data }, id) => {
    const task = tasks.get(data['id']);
    switch (type) {
      case 'task.created':
        tasks.set(id, { title: data['title'], closed: false });
        return { id };
      case 'task.updated':
        Object.assign(task ?? {}, { title: data['title'] });
        return {};
      case 'task.closed':
        Object.assign(task ?? {}, { closed: true });
        return {};
      default:
        return {};
    }
  });
  return {
    ...toReceiver(fake),
    settings: `project: success${settings('plan')}`,
    there: () => [...tasks.values()],
    refusal: { column: 'plan', bad: 'refuse me', reason: /Not this one/ },
  };
}

async function zendesk(): Promise<FarSide> {
  const fake = await startFakeZendesk();
  onTime(fake);
  const { id, secret } = fake.state.client;
  return {
    ...overHttp(fake, /oauth/),
    connection: (port) => ({
      config: { subdomain: 'acme', clientId: id, requestsPerMinute: '2500', baseUrl: at(fake.url, port) },
      secrets: { clientSecret: secret },
    }),
    settings: `project: '${zendeskIds.group}'${settings(`'${zendeskIds.account}'`)}`,
    there: () =>
      fake.state.tickets.map(({ subject, status }) => ({ title: subject, closed: status === 'solved' })),
    refusal: { column: 'plan', bad: 'x'.repeat(2000), reason: /Account/ },
  };
}

scenario(play, { connector: 'asana', start: asana, sigkill: true });
scenario(play, { connector: 'jira', start: jira });
scenario(play, { connector: 'salesforce', start: salesforce });
scenario(play, { connector: 'webhook', start: webhook });
scenario(play, { connector: 'zendesk', start: zendesk });
