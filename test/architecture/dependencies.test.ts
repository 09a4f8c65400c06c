import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Entry {
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = new URL('../../', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, root), 'utf8'));
const own = read('package.json') as Entry;
const lock = read('package-lock.json') as { readonly packages: Readonly<Record<string, Entry>> };

/** The lock's entry for a dependency of the package at this path: the nearest folder upwards that has it. */
function lockedAt(path: string, name: string): string | undefined {
  for (let folder = path; ; ) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (candidate in lock.packages) {
      return candidate;
    }
    if (folder === '') {
      return undefined;
    }
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1));
  }
}

describe('package-lock.json', () => {
  it('has an entry for every optional dependency, whatever machine wrote it', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => lockedAt(path, name) === undefined)
        .map((name) => `${name}, for ${path === '' ? 'the project' : path}`),
    );

    expect(Object.keys(lock.packages).length).toBeGreaterThan(100);
    expect(missing).toEqual([]);
  });

  it('names no place to download from: that is for whoever installs to say', () => {
    const named = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined);

    expect(named.map(([path]) => path)).toEqual([]);
  });

  it('pins the project to exact versions', () => {
    const loose = Object.entries({ ...own.dependencies, ...own.optionalDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );

    expect(loose).toEqual([]);
  });
});

/**
 * Files without an entry to import: assets that the page serves, and types. Everything else must really load, since a
 * package that type-checks can still crash at start (CommonJS without the named export, a missing native part).
 */
const assets: Readonly<Record<string, string>> = {
  '@mattermost/types': 'package.json',
  '@slack/types': 'package.json',
  'dejavu-fonts-ttf': 'ttf/DejaVuSans.ttf',
  idiomorph: 'dist/idiomorph-ext.min.js',
  tsx: 'package.json',
};

describe('vendor packages', () => {
  it.each(Object.keys(own.dependencies ?? {}).filter((name) => !(name in assets)))(
    '%s can be imported',
    async (name) => {
      const loaded = (await import(name)) as object;

      expect(Object.keys(loaded).length).toBeGreaterThan(0);
    },
  );

  it.each(Object.entries(assets))('%s has %s', (name, file) => {
    const path = new URL(`node_modules/${name}/${file}`, root);

    expect(readFileSync(path).byteLength).toBeGreaterThan(0);
  });

  it('gives the names that the code asks for', async () => {
    const [bullmq, cron, cronstrue, express, ioredis, liquid, parser, pg, resvg] = await Promise.all([
      import('bullmq'),
      import('cron-parser'),
      import('cronstrue'),
      import('express'),
      import('ioredis'),
      import('liquidjs'),
      import('node-sql-parser'),
      import('pg'),
      import('@resvg/resvg-js'),
    ]);

    const used = {
      'bullmq Queue': bullmq.Queue,
      'bullmq Worker': bullmq.Worker,
      'cron-parser': cron.CronExpressionParser,
      cronstrue: cronstrue.default.toString,
      express: express.default,
      ioredis: ioredis.Redis,
      liquidjs: liquid.Liquid,
      'node-sql-parser': parser.default.Parser,
      pg: pg.default.Pool,
      resvg: resvg.Resvg,
    };

    expect(Object.entries(used).filter(([, value]) => typeof value !== 'function')).toEqual([]);
  });
});
