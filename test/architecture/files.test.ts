import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const skipped = new Set(['.git', 'node_modules', 'dist', '.activate', 'test-output', 'coverage']);
const written =
  /\.(?:ts|js|mjs|cjs|json|md|sql|css|ya?ml|html|svg|sh|txt)$|^(?:Procfile|Dockerfile|\.npmrc|\.gitignore|\.env\.example)$/;

function filesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !skipped.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesOf(path) : written.test(entry.name) ? [path] : [];
    });
}

const files = filesOf('.').map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

/** Where the text is found, as `path: what was found`. */
function found(pattern: RegExp): readonly string[] {
  return files.flatMap(({ path, text }) => {
    const match = pattern.exec(text);
    return match === null ? [] : [`${path}: ${match[0]}`];
  });
}

describe('the files of the project', () => {
  it('are found', () => {
    expect(files.map(({ path }) => path)).toContain(join('engine', 'contracts', 'refs.ts'));
  });

  it('name no package registry', () => {
    expect(
      found(
        /\bregistry\.[a-z0-9-]+\.[a-z]{2,}\b|\bnpm\.pkg\.[a-z]+\.com\b|\b(?:artifactory|nexus|verdaccio)\.[a-z0-9-]+\./i,
      ),
    ).toEqual([]);
  });

  it('name no folder of the machine they were written on', () => {
    expect(found(/(?<![\w.$}/])\/(?:work|home\/[a-z]+|Users\/[A-Za-z]+)\/[a-z]/)).toEqual([]);
  });

  it('hold no secret that looks real', () => {
    // A real bot token: three parts of digits and letters. Those in examples and tests are shorter.
    expect(
      found(
        /xox[bp]-\d{10,}-\d{10,}-[A-Za-z0-9]{24}|xapp-\d-[A-Z0-9]{10,}-\d{12,}-[0-9a-f]{60,}|-----BEGIN [A-Z ]*PRIVATE KEY-----/,
      ),
    ).toEqual([]);
  });
});
