import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

describe('a process that is a worker alone', () => {
  it('loads neither commands nor the web server, and of platforms only those that are set up', () => {
    const loaded = loadedBy('engine/main.ts').map((path) => path.split('/').slice(0, 2).join('/'));

    expect(loaded).toContain('engine/run');
    expect(loaded.filter((path) => path.startsWith('commands'))).toEqual([]);
    expect([...new Set(loaded)].filter((path) => path.startsWith('bot/')).toSorted()).toEqual([
      'bot/platforms.ts',
      'bot/roof.ts',
    ]);
  });
});

/** Files that are loaded with this one: what is imported on demand, or for its types alone, is not. */
function loadedBy(entry: string): readonly string[] {
  const found = new Set<string>();
  const follow = (path: string): void => {
    if (found.has(path)) {
      return;
    }
    found.add(path);
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, names = '', from = ''] of text.matchAll(
      /^(?:import|export) (?!type )(?:(\{[^}]*\}|\* as \w+|\w+) from )?'(\.[^']+)';$/gm,
    )) {
      const values = names
        .replaceAll(/[{}]/g, '')
        .split(',')
        .some((name) => !/^\s*(?:type\s|$)/.test(name));
      if (values || names === '') {
        follow(join(dirname(path), from));
      }
    }
  };
  follow(entry);
  return [...found];
}
