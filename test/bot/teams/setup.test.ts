import { expect, it } from 'vitest';
import { createButtons } from '../../../bot/teams/access.ts';
import { parseEnv, usesLocalChat } from '../../../engine/env.ts';
import { APP, MAYA, SAM, TENANT } from '../../fakes/teams.ts';

const complete = {
  TEAMS_APP_ID: APP.toUpperCase(),
  TEAMS_TENANT_ID: TENANT,
  TEAMS_APP_PASSWORD: 'a-client-secret',
  PUBLIC_URL: 'https://activate.example',
};

it('needs an app, a tenant, a proof and an address', () => {
  const env = parseEnv(complete);

  expect(env.TEAMS_APP_ID).toBe(APP);
  expect(usesLocalChat(env)).toBe(false);
  expect(
    parseEnv({ ...complete, TEAMS_APP_PASSWORD: '', TEAMS_CERTIFICATE_FILE: 'c', TEAMS_KEY_FILE: 'k' }),
  ).toBeDefined();
});

it.each([
  [{ TEAMS_APP_ID: '' }, /TEAMS_APP_ID is missing/],
  [{ TEAMS_APP_ID: 'my-app' }, /TEAMS_APP_ID must be the application \(client\) ID/],
  [{ TEAMS_TENANT_ID: '' }, /TEAMS_TENANT_ID is missing/],
  [{ TEAMS_APP_PASSWORD: '' }, /TEAMS_APP_PASSWORD, or TEAMS_CERTIFICATE_FILE with TEAMS_KEY_FILE/],
  [{ TEAMS_APP_PASSWORD: '', TEAMS_CERTIFICATE_FILE: 'c' }, /TEAMS_CERTIFICATE_FILE with TEAMS_KEY_FILE/],
  [{ TEAMS_CERTIFICATE_FILE: 'c', TEAMS_KEY_FILE: 'k' }, /and not both/],
  [{ PUBLIC_URL: '' }, /PUBLIC_URL is missing beside TEAMS_APP_ID/],
])('refuses %j in place of that', (over, sentence) => {
  expect(() => parseEnv({ ...complete, ...over })).toThrow(sentence);
});

it('tells who may press what by the roles of commands', async () => {
  const roles: Readonly<Record<string, 'viewer' | 'admin'>> = { [MAYA]: 'admin' };
  const buttons = createButtons({
    commands: [
      { name: 'claim', access: 'viewer' },
      { name: 'approve', access: 'approver' },
    ],
    defaultRole: 'editor',
    house: () => ({
      dispatch: { mayOpenForm: ({ command }) => command === 'edit' },
      identify: async ({ id }) => ({ role: roles[id] ?? 'viewer' }),
    }),
  });
  const run = (command: string) => ({ command, input: {} });
  const person = (id: string) => ({ kind: 'person', platform: 'teams', id }) as const;

  expect([buttons.opensForm(run('edit')), buttons.opensForm(run('claim'))]).toEqual([true, false]);
  expect([buttons.restricted(run('approve')), buttons.restricted(run('claim'))]).toEqual([true, false]);
  expect(await buttons.allowed(run('approve'), person(MAYA))).toBe(true);
  expect(await buttons.allowed(run('approve'), person(SAM))).toBe(false);
  expect(await buttons.allowed(run('claim'), person(SAM))).toBe(true);
});
