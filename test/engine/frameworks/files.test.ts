import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sync } from '../../../engine/store/syncs.ts';
import { failure } from '../../support/memory.ts';
import { number, type Rig, type SyncOptions, startRig, text } from '../../support/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

const columns = [number('id'), text('name')];
const files = (given: object = {}, options: Partial<SyncOptions> = {}): Promise<Sync> =>
  rig.sync(
    'files',
    { content: 'full', path: 'out/{{ run }}-{{ part }}.csv', format: 'csv', ...given },
    { columns, ...options },
  );
const fill = (from: number, to: number, name = (id: number) => `n${id}`): void => {
  for (let id = from; id <= to; id += 1) {
    rig.world.rows.push([String(id), name(id)]);
  }
};
/** The rows of all files, in the order of their names, without headings. */
const lines = (): string[] =>
  [...rig.world.files.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, { bytes }]) => bytes.toString().trim().split('\r\n').slice(1));
const names = (): string[] => [...rig.world.files.keys()].sort();

describe('files', () => {
  it('writes all rows at each run, under names of their own', async () => {
    const sync = await files();
    fill(1, 3);
    const first = await rig.run(sync);
    const second = await rig.run(sync);

    expect(names()).toEqual([`out/${first.id}-0001.csv`, `out/${second.id}-0001.csv`]);
    expect(lines()).toEqual(['1,n1', '2,n2', '3,n3', '1,n1', '2,n2', '3,n3']);
    expect(first.counts.files).toEqual([
      { place: `memory/out/${first.id}-0001.csv`, rows: 3, bytes: expect.any(Number) },
    ]);
  });

  it('writes only what changed, with a column that says how; what left with its last values', async () => {
    const sync = await files({ content: 'changes' });
    fill(1, 3);
    await rig.run(sync);
    rig.world.files.clear();
    rig.world.rows = [
      ['1', 'n1'],
      ['2', 'other'],
      ['4', 'n4'],
    ];
    await rig.run(sync);
    expect(lines()).toEqual(['2,other,changed', '3,n3,removed', '4,n4,added']);

    rig.world.files.clear();
    expect((await rig.run(sync)).counts.files).toEqual([]);
    expect(names()).toEqual([]);
  });

  it('splits by rows: all of them, each once', async () => {
    const sync = await files({ splitRows: 3 });
    fill(1, 10);
    const run = await rig.run(sync);

    expect(run.counts.files?.map((file) => file.rows)).toEqual([3, 3, 3, 1]);
    expect(lines()).toEqual(Array.from({ length: 10 }, (_, at) => `${at + 1},n${at + 1}`));
  });

  it.each(['csv', 'ndjson', 'parquet'])(
    'splits %s by bytes: all rows, each once, no part far over',
    async (format) => {
      const sync = await files({ splitBytes: 65_536, format, path: '{{ run }}-{{ part }}' });
      fill(1, 6000, (id) => `a name that takes some room ${id} ${(id * 7919).toString(36)}`);
      const run = await rig.run(sync);
      const parts = run.counts.files ?? [];

      expect(parts.reduce((sum, part) => sum + part.rows, 0)).toBe(6000);
      expect(parts.length).toBeGreaterThan(1);
      for (const part of parts) {
        expect(part.bytes).toBeLessThan(4 * 65_536);
      }
    },
  );

  it('takes a query without a key: every row, however alike', async () => {
    const sync = await files({}, { key: [] });
    rig.world.rows = [
      ['1', 'same'],
      ['1', 'same'],
      [null, null],
    ];
    const run = await rig.run(sync);

    expect(lines()).toEqual(['1,same', '1,same', ',']);
    expect(run.counts.files?.[0]?.rows).toBe(3);
  });

  it('without rows it writes nothing, or a file that has none', async () => {
    const skip = await files();
    expect((await rig.run(skip)).counts.files).toEqual([]);
    expect(names()).toEqual([]);

    const write = await files({ whenEmpty: 'write' });
    const run = await rig.run(write);
    expect(run.counts.files).toMatchObject([{ rows: 0 }]);
    expect(rig.world.files.get(names()[0] as string)?.bytes.toString()).toBe('id,name\r\n');
  });

  it('fails at a name that is taken, leaves the file as it is, and takes nothing as told', async () => {
    const sync = await files({ content: 'changes', path: 'latest.csv', changeColumn: '' });
    fill(1, 2);
    rig.world.files.set('latest.csv', { bytes: Buffer.from('theirs'), mark: 'theirs' });
    const run = await rig.run(sync);
    expect(run).toMatchObject({ state: 'failed', error: { code: 'EXISTS' } });
    expect(rig.world.files.get('latest.csv')?.bytes.toString()).toBe('theirs');

    rig.world.files.clear();
    await rig.run(sync);
    expect(lines()).toEqual(['1,n1', '2,n2']);
  });

  it('replaces a file when told to', async () => {
    const sync = await files({ path: 'latest.csv', overwrite: true });
    fill(1, 1);
    await rig.run(sync);
    fill(2, 2);
    await rig.run(sync);

    expect(lines()).toEqual(['1,n1', '2,n2']);
  });

  it('of four parts the worker dies after the second: each part is there once and whole', async () => {
    const sync = await files({ splitRows: 2, content: 'changes', changeColumn: '' });
    fill(1, 8);
    let puts = 0;
    rig.world.trouble = () => {
      puts += 1;
      return puts === 3 ? { thrown: failure('OUTCOME_UNKNOWN'), applied: () => true } : undefined;
    };
    const run = await rig.run(sync);

    expect(run.counts.files?.map((file) => file.rows)).toEqual([2, 2, 2, 2]);
    expect(names()).toHaveLength(4);
    expect(lines()).toEqual(Array.from({ length: 8 }, (_, at) => `${at + 1},n${at + 1}`));
  });

  it('wherever the worker dies, every row is in the files of the run once, and the next run has none', async () => {
    for (let dieAfter = 10; dieAfter < 110; dieAfter += 3) {
      await rig.reset();
      const sync = await files({ splitRows: 2, content: 'changes', changeColumn: '' });
      fill(1, 7);
      const run = await rig.run(sync, { dieAfter });
      expect(run.state).toBe('done');
      expect(lines(), `died after ${dieAfter} steps`).toEqual(
        Array.from({ length: 7 }, (_, at) => `${at + 1},n${at + 1}`),
      );
      expect((await rig.run(sync)).counts.files).toEqual([]);
    }
  });

  it('a place that is away for a while is tried again', async () => {
    const sync = await files();
    fill(1, 2);
    let puts = 0;
    rig.world.trouble = () => {
      puts += 1;
      return puts < 3 ? { thrown: failure('UNAVAILABLE') } : undefined;
    };

    expect((await rig.run(sync)).state).toBe('done');
    expect(lines()).toEqual(['1,n1', '2,n2']);
  });
});
