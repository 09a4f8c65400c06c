import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { blocksIn } from './blocks.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'test/docs/written');
const files = blocksIn('connectors.md', 'ts');
const biome = join(root, 'node_modules/.bin/biome');

/** Where a file of the page is written. No name of a test, or it would be run once more on its own. */
const placeOf = (name: string): string => join(folder, name.replace(/\.test\.ts$/, '.suite.ts'));

/** A file with its imports as they are from where it is written. */
function moved(name: string, text: string): string {
  return text.replaceAll(/(from ')(\.[^']+)(')/g, (_, before: string, path: string, after: string) => {
    const meant = join(dirname(name), path);
    const there = files.some((file) => file.name === meant) ? placeOf(meant) : join(root, meant);
    const from = relative(dirname(placeOf(name)), there);
    return `${before}${from.startsWith('.') ? from : `./${from}`}${after}`;
  });
}

rmSync(folder, { recursive: true, force: true });
for (const { name, text } of files) {
  mkdirSync(dirname(placeOf(name)), { recursive: true });
  writeFileSync(placeOf(name), moved(name, text));
}
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the code of docs/connectors.md', () => {
  it('is the three files that the page speaks of', () => {
    expect(files.map(({ name }) => name)).toEqual([
      'connectors/pigeon.ts',
      'test/fakes/pigeon.ts',
      'test/connectors/pigeon.test.ts',
    ]);
  });

  it('has the types that the contract asks for', () => {
    const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config as object;
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram(
      files.map(({ name }) => placeOf(name)),
      { ...options, noEmit: true },
    );

    const wrong = ts
      .getPreEmitDiagnostics(program)
      .filter(({ file }) => file?.fileName.startsWith(folder) === true)
      .map(
        ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      );

    expect(wrong).toEqual([]);
  });

  it.each(files.map(({ name, text }) => [name, text] as const))('%s is written as we write', (name, text) => {
    const how = ['check', '--write', `--stdin-file-path=${name}`];

    const { stdout } = spawnSync(biome, how, { cwd: root, input: text, encoding: 'utf8' });

    expect(stdout).toBe(text);
  });

  it('keeps to our own rules', () => {
    // The folder is ignored, and would be passed over.
    const how = ['lint', '--vcs-enabled=false', '--error-on-warnings', folder];

    const { status, stderr } = spawnSync(biome, how, { cwd: root, encoding: 'utf8' });

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

const suite = files.find(({ name }) => name.endsWith('.test.ts'));
await import(placeOf(suite?.name ?? ''));
