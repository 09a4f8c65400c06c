import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hand, type Installation, install } from './installation.ts';

const sync = 'accounts-out';

/** A folder has no way to it that could be cut, so that its life is told apart from that of the others. */
describe('files to a folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'activate-exports-'));
  const drive = join(root, 'drive');
  let house: Installation;
  let hand: Hand;

  beforeAll(async () => {
    mkdirSync(drive);
    house = await install({ ALLOWED_FOLDER: root });
    hand = await house.hire();
    await house.warehouse.query('create table accounts (id int primary key, name text)');
    await add(20);
  });

  afterAll(async () => {
    await house?.close();
    rmSync(root, { recursive: true });
  });

  const add = async (count: number): Promise<void> => {
    await house.warehouse.query(
      `insert into accounts select i, 'Account ' || i
         from generate_series((select count(*) from accounts) + 1, (select count(*) from accounts) + $1::int) i`,
      [count],
    );
  };
  const hidden = (): readonly string[] => readdirSync(drive).filter((name) => name.startsWith('.'));
  const names = (): readonly string[] => readdirSync(drive).filter((name) => !name.startsWith('.'));
  /** The ids in all files, each file whole. */
  const told = (): readonly string[] =>
    names().flatMap((name) => {
      const text = readFileSync(join(drive, name), 'utf8');
      expect(text.endsWith('\r\n') || text.endsWith('\n'), name).toBe(true);
      return text
        .trimEnd()
        .split(/\r?\n/)
        .slice(1)
        .map((line) => line.split(',')[0] ?? '');
    });
  const wanted = async (): Promise<readonly string[]> =>
    (await house.warehouse.query<{ id: string }>('select id::text from accounts')).map(({ id }) => id);
  const isAsWanted = async (): Promise<void> => {
    expect(told().toSorted()).toEqual((await wanted()).toSorted());
  };

  it('sends everything at the first run, nothing when nothing has changed, and then what is new', async () => {
    await house.services.documents.apply(file(house.warehouseVariable), house.by);
    const first = await house.ended(sync);
    const before = names();
    const second = await house.run(sync);
    await add(3);
    const third = await house.run(sync);

    expect(first).toMatchObject({ state: 'done', counts: { done: { 'written to files': 20 } } });
    expect(second).toMatchObject({ state: 'done', counts: { done: {} } });
    expect(third).toMatchObject({ state: 'done', counts: { done: { 'written to files': 3 } } });
    expect(names().filter((name) => before.includes(name))).toEqual(before);
    await isAsWanted();
  });

  it('says that its drive is away, and heals when that is back', async () => {
    await add(2);
    renameSync(drive, `${drive}-away`);
    const refused = await house.run(sync);
    renameSync(`${drive}-away`, drive);
    const healed = await house.run(sync);

    expect(refused).toMatchObject({ state: 'failed' });
    expect(refused.error?.message).toMatch(/There is no folder .*drive/);
    expect(healed).toMatchObject({ state: 'done', counts: { done: { 'written to files': 2 } } });
    await isAsWanted();
  });

  it('leaves no half of a file and no file twice when its process is killed in the middle of one', async () => {
    await hand.kill();
    await add(4000);
    await house.start(sync);
    const begun = new Promise<void>((resolve) => {
      const watcher = watch(drive, (_event, name) => {
        if (name?.endsWith('.part') === true) {
          watcher.close();
          resolve();
        }
      });
    });
    const own = await house.hire('own process');
    await begun;
    await own.kill();
    told();
    hand = await house.hire();

    const run = await house.ended(sync);

    expect(run).toMatchObject({ state: 'done', error: null });
    expect(hidden()).toEqual([]);
    await isAsWanted();
  });
});

function file(warehouseVariable: string): string {
  return `
sources:
  warehouse:
    connector: postgres
    secrets: { url: '\${${warehouseVariable}}' }
destinations:
  exports:
    connector: folder
    config: { folder: drive }
models:
  accounts:
    source: warehouse
    key: [id]
    sql: select id, name from accounts
syncs:
  ${sync}:
    framework: files
    model: accounts
    destination: exports
    schedule: 0 0 1 1 *
    approval: { ask: never }
    content: changes
    path: accounts-{{ run }}-{{ part }}.csv
    format: csv
    columns: [id, name]
    split_rows: 500
`;
}
