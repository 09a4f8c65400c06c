import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createCommands } from '../../commands/index.ts';
import { connectors } from '../../connectors/index.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function sources(folder: string): readonly { readonly path: string; readonly text: string }[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return sources(path);
    }
    return path.endsWith('.ts') ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : [];
  });
}

const production = ['bot', 'commands', 'connectors', 'engine'].flatMap(sources);

/** Where a pattern is found, as `path: what was found`. */
function found(pattern: RegExp, files = production): readonly string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map((match) => `${path}: ${match[1] ?? match[0]}`),
  );
}

describe('the dispatcher', () => {
  it('alone calls a command', () => {
    expect(found(/\b(command)\.run\(/g)).toEqual(['bot/dispatch.ts: command']);
    // What else is run is the dispatcher itself, or what the packages of the queue and of DuckDB call so.
    const receivers = new Set(found(/\b(\w+)\.run\(/g).map((one) => one.split(': ')[1]));
    expect([...receivers].toSorted()).toEqual(['command', 'connection', 'dispatch', 'worker']);
    expect(found(/\b(?:const|let) \{[^}]*\brun\b[^}]*\} = (command)\b/g)).toEqual([]);
  });

  it('gets the commands in one file, and nobody else has them in hand to run', () => {
    const importersOf = (of: RegExp): readonly string[] =>
      production
        .filter(({ path }) => !path.startsWith('commands'))
        .filter(({ text }) => of.test(text))
        .map(({ path }) => path)
        .toSorted();

    expect(importersOf(/(?:from |import\()'(?:\.\.?\/)+commands\//)).toEqual(['bot/commands.ts']);
    // Three of them read declarations: for the Slack manifest, for docs/, and for buttons on Teams.
    expect(importersOf(/(?:from |import\()'(?:\.\.?\/)+commands\.ts'/)).toEqual([
      'bot/cli.ts',
      'bot/docs.ts',
      'bot/roof.ts',
      'bot/web.ts',
    ]);
  });

  it('checks the role in the two ways in: running, and looking options up', () => {
    const { text = '' } = production.find(({ path }) => path === 'bot/dispatch.ts') ?? {};

    expect(text.match(/ROLES\.indexOf\(caller\.role\) < ROLES\.indexOf\(command\.access\)/g)).toHaveLength(2);
  });
});

describe('a button', () => {
  const names = createCommands(connectors).map(({ name }) => name);
  const buttons = [
    /\bbutton\(\s*(?:`[^`]*`|'[^']*'|"[^"]*"|[^,'"`()]+),\s*'([^']*)'/g,
    /\brun: \{ command: '([^']*)'/g,
  ].flatMap((pattern) => found(pattern));

  it('is a command that there is', () => {
    expect(buttons.length).toBeGreaterThan(60);
    expect(buttons.filter((one) => !names.includes(one.split(': ')[1] ?? ''))).toEqual([]);
  });
});
