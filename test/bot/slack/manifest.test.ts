import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SCOPES, slackManifest } from '../../../bot/slack/manifest.ts';

const COMMANDS = Array.from({ length: 400 }, (_, index) => ({
  name: `command-${index}`,
  summary: 'Does something.',
  example: `command-${index}`,
}));

it('asks for no public address in Socket Mode', () => {
  const text = JSON.stringify(slackManifest(COMMANDS, { mode: 'socket' }));

  expect(text).toContain('"socket_mode_enabled":true');
  expect(text).not.toContain('url');
});

it('names one address for everything over HTTP, and stays within the limits', () => {
  const manifest = slackManifest(COMMANDS, { mode: 'http', url: 'https://activate.example/' });

  expect(manifest).toMatchObject({
    features: { slash_commands: [{ command: '/activate', url: 'https://activate.example/slack' }] },
    settings: {
      event_subscriptions: { request_url: 'https://activate.example/slack' },
      interactivity: { message_menu_options_url: 'https://activate.example/slack' },
      socket_mode_enabled: false,
    },
  });
  const [command] = (manifest as { features: { slash_commands: { usage_hint: string }[] } }).features
    .slash_commands;
  expect(command?.usage_hint.length).toBeLessThanOrEqual(1000);
});

it('explains in the guide every scope that it asks for, and no other', () => {
  const guide = readFileSync(new URL('../../../docs/slack.md', import.meta.url), 'utf8');

  const explained = [...guide.matchAll(/^\| `([a-z:._]+)` \| (.+) \|$/gm)].map(([, scope, why]) => [
    scope,
    why,
  ]);
  expect(explained).toEqual(Object.entries(SCOPES));
});
