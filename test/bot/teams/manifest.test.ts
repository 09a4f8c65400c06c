import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { AppManifestUtils, TeamsManifestConverter } from '@microsoft/app-manifest';
import { unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { manifest } from '../../../bot/manifest.ts';
import { sidesOf } from '../../../bot/teams/files.ts';
import { PERMISSIONS, teamsManifest, teamsPackage } from '../../../bot/teams/manifest.ts';
import { createCommands } from '../../../commands/index.ts';
import { connectors } from '../../../connectors/index.ts';

const commands = createCommands(connectors).filter((command) => command.hidden !== true);
const appId = '11111111-2222-3333-4444-555555555555';
const many = Array.from({ length: 40 }, (_, index) => ({
  name: `command-${index}`,
  title: `A title that is longer than what is shown of it ${index}`,
  summary: 'Does something that takes many words to say. '.repeat(30),
  alone: index % 2 === 0,
  asks: true,
}));

function made(over: Partial<Parameters<typeof teamsManifest>[1]> = {}): Record<string, unknown> {
  const options = { appId, url: 'https://activate.example/', version: '1.0.0', readsBack: false, ...over };
  return teamsManifest(many, options) as Record<string, unknown>;
}

/** The schema that comes with Microsoft's package, so that nothing is fetched. */
function schema(): object {
  const at = createRequire(import.meta.url).resolve('@microsoft/app-manifest');
  const file = new URL('./json-schemas/teams/v1.29/MicrosoftTeams.schema.json', `file://${at}`);
  return JSON.parse(readFileSync(file, 'utf8')) as object;
}

it.each([false, true])('is one that Microsoft takes, with %s to reading back', async (readsBack) => {
  const text = JSON.stringify(made({ readsBack }));

  const parsed = TeamsManifestConverter.jsonToManifest(text);
  const faults = await AppManifestUtils.validateAgainstSchema(parsed, schema() as never);

  expect(faults).toEqual([]);
  expect(text.includes('ChannelMessage.Read.Group')).toBe(readsBack);
});

it('of the real commands opens forms from the menu, and is one that Microsoft takes', async () => {
  const text = await manifest(
    ['teams', '--url', 'https://activate.example', '--app-id', appId],
    commands,
    {},
  );
  const read = JSON.parse(text) as {
    bots: { commandLists: { commands: { title: string }[] }[] }[];
    composeExtensions: { commands: { id: string; triggers: string[]; fetchTask: boolean }[] }[];
  };

  expect(
    await AppManifestUtils.validateAgainstSchema(
      TeamsManifestConverter.jsonToManifest(text),
      schema() as never,
    ),
  ).toEqual([]);
  expect(read.composeExtensions[0]?.commands).toContainEqual(
    expect.objectContaining({ id: 'new-alert', triggers: ['slash'], fetchTask: true }),
  );
  expect(read.bots[0]?.commandLists[0]?.commands[0]?.title).toBe('help');
});

it('takes what it is not told from the environment, and says how it is used', async () => {
  const env = { PUBLIC_URL: 'https://activate.example', TEAMS_APP_ID: appId };

  expect(await manifest(['teams', '--version', '1.2.3'], commands, env)).toContain('"version": "1.2.3"');
  for (const argv of [
    [],
    ['teams'],
    ['mastodon'],
    ['slack', '--out', 'x'],
    ['slack', '--url', 'nowhere'],
    ['teams', '--what'],
  ]) {
    await expect(manifest(argv, commands, {})).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      fix: expect.stringContaining('activate manifest teams'),
    });
  }
});

it('is packed with two icons of the sizes that Teams asks for', async () => {
  const files = unzipSync(await teamsPackage(made()));

  expect(Object.keys(files).toSorted()).toEqual(['color.png', 'manifest.json', 'outline.png']);
  expect(sidesOf(files['color.png']!)).toEqual({ width: 192, height: 192 });
  expect(sidesOf(files['outline.png']!)).toEqual({ width: 32, height: 32 });
});

it('explains in the guide what it may read, and nothing else', () => {
  const guide = readFileSync(new URL('../../../docs/teams.md', import.meta.url), 'utf8');

  const explained = [...guide.matchAll(/^\| `(\w+\.Read\.\w+)` \| (.+) \|$/gm)].map(([, name, why]) => [
    name,
    why,
  ]);
  expect(explained).toEqual(Object.entries(PERMISSIONS));
});
