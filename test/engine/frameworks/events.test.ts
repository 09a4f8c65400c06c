import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sync } from '../../../engine/store/syncs.ts';
import { watermarkOf } from '../../../engine/store/watermarks.ts';
import { failure } from '../../support/memory.ts';
import { number, type Rig, startRig, text, time } from '../../support/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

const columns = [number('id'), time('at'), text('who'), text('what')];
const settings = {
  event: { type: 'column', column: 'what' },
  time: 'at',
  person: { user_id: 'who' },
  properties: [{ field: 'what', from: { type: 'column', column: 'what' } }],
  lookBackMinutes: 60,
  silentFirst: false,
};
const events = (given: Partial<typeof settings> = {}): Promise<Sync> =>
  rig.sync('events', { ...settings, ...given }, { columns });
const happened = (id: number, at: string, what = 'Clicked'): void =>
  void rig.world.rows.push([String(id), at, 'ann', what]);
const sent = (): string[] => rig.world.events.map((event) => event.key);
const later = (hours: number): void => {
  rig.clock.now = new Date(rig.clock.now.getTime() + hours * 3_600_000);
};

describe('events', () => {
  it('sends each row once: ties at the very same moment, and late rows inside the look-back', async () => {
    const sync = await events();
    happened(1, '2026-03-01 11:00:00+00');
    happened(2, '2026-03-01 11:30:00.000001+00');
    await rig.run(sync);
    happened(3, '2026-03-01 11:30:00.000001+00');
    happened(4, '2026-03-01 10:45:00+00');
    await rig.run(sync);
    await rig.run(sync);

    expect(sent()).toEqual(['1', '2', '3', '4']);
  });

  it('leaves out rows that come in later than the look-back, and reads no more than the window', async () => {
    const sync = await events();
    happened(1, '2026-03-01 11:30:00+00');
    await rig.run(sync);
    happened(2, '2026-03-01 10:29:59+00');
    await rig.run(sync);

    expect(sent()).toEqual(['1']);
    expect(rig.world.queries.at(-1)?.since).toEqual({ column: 'at', value: '2026-03-01T10:30:00.000000Z' });
  });

  it('a refused event holds the window open until it is sent, however old it gets', async () => {
    const sync = await events();
    happened(1, '2026-03-01 09:00:00+00', '');
    happened(2, '2026-03-01 11:00:00+00');
    await rig.run(sync);
    for (let day = 0; day < 3; day += 1) {
      happened(10 + day, `2026-03-0${day + 2} 11:00:00+00`);
      later(24);
      expect((await rig.run(sync)).counts).toMatchObject({ failed: 1 });
    }

    rig.world.rows[0] = ['1', '2026-03-01 09:00:00+00', 'ann', 'Clicked'];
    expect((await rig.run(sync)).counts).toMatchObject({ failed: 0, done: { sent: 1 } });

    expect(sent()).toEqual(['2', '10', '11', '12', '1']);
    expect((await watermarkOf(rig.db, sync.id)).refused).toBeNull();
  });

  it('a run that fails half way loses nothing, though what it sent is newer than what it did not', async () => {
    rig.world.limits = { rows: 1, concurrency: 1 };
    const sync = await events();
    happened(1, '2026-03-01 11:00:00+00');
    happened(2, '2026-02-01 11:00:00+00');
    rig.world.trouble = ({ keys }) => (keys.includes('2') ? { thrown: failure('AUTH_REJECTED') } : undefined);
    expect((await rig.run(sync)).state).toBe('failed');

    rig.world.trouble = () => undefined;
    await rig.run(sync);

    expect(sent()).toEqual(['1', '2']);
  });

  it('ids are the same at each attempt, and differ from row to row and from sync to sync', async () => {
    const sync = await events();
    happened(1, '2026-03-01 11:00:00+00');
    happened(2, '2026-03-01 11:00:00+00');
    rig.world.trouble = ({ again }) =>
      again ? undefined : { thrown: failure('OUTCOME_UNKNOWN'), applied: () => true };
    await rig.run(sync);
    const [first, second, again] = rig.world.events;
    rig.world.trouble = () => undefined;
    await rig.run(sync, { scope: 'everything' });
    const other = await events();
    happened(1, '2026-03-01 11:00:00+00');
    await rig.run(other);

    expect(first?.id).toMatch(/^[0-9a-f]{32}$/);
    expect(again?.id).toBe(first?.id);
    expect(second?.id).not.toBe(first?.id);
    expect(rig.world.events.at(-3)?.id).toBe(first?.id);
    expect(rig.world.events.at(-1)?.id).not.toBe(first?.id);
  });

  it('takes what is there at a silent first run as sent, and nothing that comes after it, however late the next run', async () => {
    const sync = await events({ silentFirst: true });
    happened(1, '2026-03-01 11:30:00+00');
    happened(2, '2026-02-01 11:30:00+00');
    await rig.run(sync);
    expect(sent()).toEqual([]);

    // More than the look-back ago when the next run comes.
    happened(3, '2026-03-01 13:00:00+00');
    later(24);
    await rig.run(sync);

    expect(sent()).toEqual(['3']);
  });

  it('sends all of it again when asked to, under the same ids, and goes on from there', async () => {
    const sync = await events();
    happened(1, '2026-01-01 11:00:00+00');
    happened(2, '2026-03-01 11:00:00+00');
    await rig.run(sync);
    await rig.run(sync, { scope: 'everything' });
    await rig.run(sync);

    expect(sent()).toEqual(['1', '2', '1', '2']);
    expect(new Set(rig.world.events.map((event) => event.id)).size).toBe(2);
  });

  it('a moment in the future does not hide what happens until then', async () => {
    const sync = await events();
    happened(1, '2099-01-01 00:00:00+00');
    await rig.run(sync);
    later(2);
    happened(2, '2026-03-01 13:30:00+00');
    await rig.run(sync);

    expect(sent()).toEqual(['1', '2']);
  });

  it('a row whose time is none is refused alone', async () => {
    const sync = await events();
    happened(1, 'infinity');
    happened(2, '2026-03-01 11:00:00+00');
    happened(3, '0044-03-15 12:00:00+00 BC');
    const run = await rig.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 2, done: { sent: 1 } } });
    expect(sent()).toEqual(['2']);
  });

  it('looks back as long over milliseconds as over seconds', async () => {
    for (const [unit, newest, late] of [
      [1, '1772362800', '1772359800'],
      [1000, '1772362800000', '1772359800000'],
    ] as const) {
      rig.world.reset();
      const sync = await rig.sync('events', settings, {
        columns: [number('id'), number('at'), text('who'), text('what')],
      });
      happened(1, newest);
      await rig.run(sync);
      happened(2, late);
      await rig.run(sync);

      expect(sent(), `units of 1/${unit} s`).toEqual(['1', '2']);
      expect(rig.world.events.map((event) => event.time)).toEqual([
        '2026-03-01T11:00:00.000Z',
        '2026-03-01T10:10:00.000Z',
      ]);
    }
  });

  it('is never twice at a tool that knows ids, and never lost, wherever the worker dies', async () => {
    for (let dieAfter = 1; dieAfter < 60; dieAfter += 3) {
      rig.world.reset();
      rig.world.limits = { rows: 2, concurrency: 1 };
      const sync = await events();
      for (let id = 1; id <= 5; id += 1) {
        happened(id, `2026-03-01 11:0${id}:00+00`);
      }
      await rig.run(sync, { dieAfter });
      happened(6, '2026-03-01 11:10:00+00');
      await rig.run(sync);

      const ids = new Set(rig.world.events.map((event) => event.id));
      expect(ids.size, `died after ${dieAfter} steps`).toBe(6);
      expect(new Set(sent()).size).toBe(6);
    }
  });
});
