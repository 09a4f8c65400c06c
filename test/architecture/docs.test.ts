import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';

const root = new URL('../../', import.meta.url);

describe('docs/', () => {
  it('says what the declarations say', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bot/docs.ts', '--check'], {
      cwd: fileURLToPath(root),
      encoding: 'utf8',
    });

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('has a page for every connector, and none for one that is gone', () => {
    const pages = readdirSync(new URL('docs/connectors/', root));

    expect(pages.toSorted()).toEqual(connectors.map(({ id }) => `${id}.md`).toSorted());
  });
});
