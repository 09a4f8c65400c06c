import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRejections, rejectionOf, skipRejections } from '../../../engine/store/rejections.ts';
import { createSnapshots } from '../../../engine/store/snapshots.ts';
import type { Sync } from '../../../engine/store/syncs.ts';
import { failure } from '../../support/memory.ts';
import { number, type Rig, startRig, text } from '../../support/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

const from = (column: string): object => ({ field: column, from: { type: 'column', column } });
const things = (given: object = {}): Promise<Sync> =>
  rig.sync(
    'objects',
    { object: 'thing', mode: 'mirror', match: ['mail'], fields: [from('mail'), from('name')], ...given },
    { columns: [number('id'), text('mail'), text('name')] },
  );
const row = (id: number, mail: string, name = 'N'): void => {
  rig.world.rows = [...rig.world.rows.filter(([key]) => key !== String(id)), [String(id), mail, name]];
};
const gone = (id: number): void => {
  rig.world.rows = rig.world.rows.filter(([key]) => key !== String(id));
};
const there = (): unknown[] =>
  [...rig.world.records.values()].map((record) => Object.values(record).join(' ')).sort();
const refuse = (...keys: string[]): void => {
  rig.world.trouble = (got) => ({
    outcomes: got.keys.map((key) =>
      keys.includes(key) ? { state: 'rejected', reason: 'Too odd.', field: 'name' } : undefined,
    ),
  });
};

describe('delivering changes', () => {
  it('takes only accepted rows as told, and tries the others again until they heal', async () => {
    const sync = await things();
    row(1, 'a');
    row(2, 'b');
    refuse('2');
    expect((await rig.run(sync)).counts).toMatchObject({ failed: 1, done: { written: 1 } });
    const told = createSnapshots(rig.db);
    expect(await told.get(sync.id, ['1'])).toMatchObject({ mail: 'a' });
    expect(await told.get(sync.id, ['2'])).toBeUndefined();
    expect(await openRejections(rig.db, sync.id, undefined, 9)).toMatchObject([
      { key: '2', reason: 'Too odd.', field: 'name', attempts: 1 },
    ]);

    await rig.run(sync);
    expect(await rejectionOf(rig.db, sync.id, '2')).toMatchObject({ state: 'open', attempts: 2 });
    rig.world.trouble = () => undefined;
    await rig.run(sync);
    expect(await rejectionOf(rig.db, sync.id, '2')).toMatchObject({ state: 'healed' });
    expect(there()).toEqual(['a N', 'b N']);
  });

  it('a refused row that leaves the query heals, and nothing is left of it', async () => {
    const sync = await things();
    row(1, 'a');
    row(2, 'b');
    refuse('2');
    await rig.run(sync);
    gone(2);
    await rig.run(sync);

    expect(await rejectionOf(rig.db, sync.id, '2')).toMatchObject({ state: 'healed' });
    expect(there()).toEqual(['a N']);
  });

  it('leaves out what a person said to leave out, as long as it stays as it is', async () => {
    const sync = await things();
    row(1, 'a');
    refuse('1');
    await rig.run(sync);
    await skipRejections(rig.db, sync.id, { key: '1' });
    rig.world.calls.length = 0;
    expect((await rig.run(sync)).counts).toMatchObject({ skipped: 1, failed: 0 });
    await rig.run(sync);
    expect(rig.world.calls).toEqual([]);

    rig.world.trouble = () => undefined;
    row(1, 'a', 'Better');
    await rig.run(sync);
    expect(there()).toEqual(['a Better']);
  });

  it('goes on where it was when a destination comes back: what it had taken is not sent again', async () => {
    rig.world.limits = { rows: 1, concurrency: 1 };
    const sync = await things();
    for (let id = 1; id <= 6; id += 1) {
      row(id, `m${id}`);
    }
    let away = true;
    rig.world.trouble = ({ keys }) =>
      away && Number(keys[0]) > 3 ? { thrown: failure('UNAVAILABLE') } : undefined;
    const run = await rig.run(sync, {
      between: () => {
        away = false;
      },
    });

    expect(run).toMatchObject({ state: 'done', counts: { done: { written: 6 }, failed: 0, refusals: [] } });
    const sent = rig.world.calls.map(({ keys }) => keys[0]);
    expect(sent).toEqual(['1', '2', '3', '4', '4', '4', '4', '5', '6']);
    expect(await openRejections(rig.db, sync.id, undefined, 9)).toEqual([]);
  });

  it('a destination that lets through only so much at a time is served in the end', async () => {
    rig.world.limits = { rows: 1, concurrency: 1 };
    const sync = await things();
    for (let id = 1; id <= 20; id += 1) {
      row(id, `m${id}`);
    }
    let left = 0;
    rig.world.trouble = () => {
      left -= 1;
      return left < 0 ? { thrown: failure('RATE_LIMITED', 3_600_000) } : undefined;
    };
    for (let day = 0; day < 5; day += 1) {
      left = 4;
      await rig.run(sync, { attempts: 1 });
    }
    left = 100;
    await rig.run(sync);

    expect(there()).toHaveLength(20);
  });

  it('a row that leaves a record to another gives it back as that one has it', async () => {
    const sync = await things();
    row(1, 'a', 'Ann');
    await rig.run(sync);
    row(2, 'a', 'Bob');
    await rig.run(sync);
    row(2, 'b', 'Bob');
    await rig.run(sync);

    expect(there()).toEqual(['a Ann', 'b Bob']);
  });

  it('two rows that leave one record take it away once', async () => {
    const sync = await things();
    row(1, 'a');
    await rig.run(sync);
    row(2, 'a');
    await rig.run(sync);
    row(1, 'b');
    row(2, 'c');
    await rig.run(sync);

    expect(there()).toEqual(['b N', 'c N']);
    expect(rig.world.calls.filter(({ verb }) => verb === 'delete').flatMap(({ keys }) => keys)).toEqual([
      '1',
    ]);
  });

  it('finds the record of a row that leaves, though what it refers to is gone, and keeps what others mean', async () => {
    rig.world.records.set('["owner"]', { mail: 'owner' });
    const sync = await things({
      fields: [
        from('mail'),
        { field: 'owner', from: { type: 'lookup', object: 'thing', by: 'mail', column: 'name' } },
      ],
    });
    row(1, 'a', 'owner');
    row(2, 'b', 'owner');
    await rig.run(sync);
    row(3, 'b', 'owner');
    await rig.run(sync);
    expect(rig.world.records.get('["a"]')).toEqual({ mail: 'a', owner: 'id-owner' });

    gone(3);
    await rig.run(sync);
    expect([...rig.world.records.keys()]).toContain('["b"]');
    rig.world.records.delete('["owner"]');
    gone(1);
    await rig.run(sync);
    expect([...rig.world.records.keys()]).toEqual(['["b"]']);
  });

  it('only adding: a row of which nobody heard is sent again as one that may be there', async () => {
    const sync = await things({ mode: 'insert' });
    row(1, 'a');
    rig.world.trouble = () => ({ outcomes: [{ state: 'unknown', reason: 'Lost.' }], applied: () => true });
    await rig.run(sync);
    rig.world.trouble = () => undefined;
    expect((await rig.run(sync)).counts).toMatchObject({ failed: 0, done: { inserted: 1 } });

    expect(rig.world.calls.at(-1)?.again).toBe(true);
    await rig.run(sync);
    expect(there()).toEqual(['a N']);
  });

  it('a sync that is edited while its run is open is planned anew: no field is filled from a column that was not read', async () => {
    const sync = await things({ fields: [from('mail')] });
    row(1, 'a', 'Ann');
    let away = true;
    rig.world.trouble = () => (away ? { thrown: failure('UNAVAILABLE') } : undefined);
    await rig.run(sync, {
      between: async () => {
        if (away) {
          away = false;
          const fields = [from('mail'), from('name')];
          await rig.db.query(
            `update syncs set version = version + 1, settings = jsonb_set(settings, '{fields}', $2) where id = $1`,
            [sync.id, JSON.stringify(fields)],
          );
        }
      },
    });

    expect(there()).toEqual(['a Ann']);
  });

  it('rows that may have gone through all at once are not forgotten when they fail one by one', async () => {
    const sync = await rig.sync(
      'objects',
      { object: 'thing', mode: 'mirror', match: ['id'], fields: [from('id'), from('name')] },
      { columns: [number('id'), text('name')] },
    );
    rig.world.rows = [
      ['1', 'Ann'],
      ['2', 'Bob'],
    ];
    rig.world.fill = async () => {
      rig.world.records.set('[1]', { id: 1, name: 'Ann' }).set('[2]', { id: 2, name: 'Bob' });
      throw failure('OUTCOME_UNKNOWN');
    };
    rig.world.trouble = () => ({ thrown: failure('AUTH_REJECTED') });
    expect((await rig.run(sync)).state).toBe('failed');
    expect(rig.world.calls[0]).toMatchObject({ verb: 'upsert', again: true });

    rig.world.fill = undefined;
    rig.world.trouble = () => undefined;
    rig.world.rows = [['1', 'Ann']];
    await rig.run(sync);
    expect([...rig.world.records.keys()]).toEqual(['[1]']);
  });
});
