import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Command } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import type { Fields } from '../engine/contracts/form.ts';
import { parsedUrl } from '../engine/contracts/url.ts';
import { slackManifest } from './slack/manifest.ts';
import { teamsManifest, teamsPackage } from './teams/manifest.ts';

const usage =
  'Usage: activate manifest slack [--url https://activate.example.com], or activate manifest teams --url https://activate.example.com --app-id <id> [--out activate-teams.zip] [--version 1.0.1] [--read-back]';

type Described = Pick<Command, 'name' | 'title' | 'summary' | 'example' | 'steps' | 'positional'> & {
  readonly fields: object;
};

/**
 * What a chat system wants to know of us, as text to print: the manifest, or where the package was written to.
 * INPUT_INVALID with how it is used when the words make no sense.
 */
export async function manifest(
  argv: readonly string[],
  commands: readonly Described[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { platform, values } = read(argv);
  if (platform === 'slack') {
    const { url } = values;
    return json(slackManifest(commands, url === undefined ? { mode: 'socket' } : { mode: 'http', url }));
  }
  const url = values.url ?? env['PUBLIC_URL'];
  const appId = values['app-id'] ?? env['TEAMS_APP_ID'];
  if (
    url === undefined ||
    parsedUrl(url) === undefined ||
    appId === undefined ||
    !/^[\da-f-]{36}$/i.test(appId)
  ) {
    throw misused(
      'The manifest of the Teams app needs the address of this bot and the id of its app registration.',
    );
  }
  const made = teamsManifest(
    commands.map((command) => ({ ...command, alone: !needsWord(command), asks: asks(command) })),
    { appId, url, version: values.version ?? '1.0.0', readsBack: values['read-back'] === true },
  );
  if (values.out === undefined) {
    return json(made);
  }
  await writeFile(values.out, await teamsPackage(made));
  return `Written: ${values.out}`;
}

/** A command that has to be told what it is about. */
function needsWord({ fields, positional = [] }: Described): boolean {
  const all = fields as Fields;
  return positional.some((name) => all[name]?.optional === false);
}

/** A command that is a form from the first. Secrets are asked for elsewhere. */
function asks(command: Described): boolean {
  const secret = Object.values(command.fields as Fields).some((field) => field.widget.type === 'secret');
  return command.steps !== undefined && !secret && (command.name.startsWith('new-') || !needsWord(command));
}

function json(made: object): string {
  return JSON.stringify(made, null, 2);
}

interface Read {
  readonly platform: 'slack' | 'teams';
  readonly values: ReturnType<typeof parsed>;
}

function read([platform, ...rest]: readonly string[]): Read {
  if (platform !== 'slack' && platform !== 'teams') {
    throw misused('The manifest is printed for Slack or for Teams.');
  }
  const values = parsed(rest);
  const foreign = platform === 'slack' && Object.keys(values).some((name) => name !== 'url');
  if (foreign || (values.url !== undefined && parsedUrl(values.url) === undefined)) {
    throw misused(`The manifest of ${platform} can't be made like that.`);
  }
  return { platform, values };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = {
    url: text,
    'app-id': text,
    out: text,
    version: text,
    'read-back': { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw misused(cause instanceof Error ? cause.message : String(cause));
  }
}

function misused(message: string): ActivateError {
  return new ActivateError('INPUT_INVALID', message, { fix: usage });
}
