import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sync } from '../../../engine/store/syncs.ts';
import { tasksOf } from '../../../engine/store/tasks.ts';
import { failure, type StoredTask } from '../../support/memory.ts';
import { number, type Rig, startRig, text } from '../../support/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

const columns = [number('id'), text('name'), text('due')];
const settings = {
  project: 'project',
  projectName: 'Support',
  title: 'Call {{ name }}',
  body: 'Seats: {{ id }}',
  silentFirst: false,
};
const tasks = (given: object = {}): Promise<Sync> =>
  rig.sync('tasks', { ...settings, ...given }, { columns });
const row = (id: number, name: string, due: string | null = null): void => {
  rig.world.rows = [...rig.world.rows.filter(([key]) => key !== String(id)), [String(id), name, due]];
};
const gone = (id: number): void => {
  rig.world.rows = rig.world.rows.filter(([key]) => key !== String(id));
};
const all = (): readonly StoredTask[] =>
  [...rig.world.tasks.values()].sort((a, b) => (a.title < b.title ? -1 : 1));
const only = (): StoredTask => {
  expect(all()).toHaveLength(1);
  return all()[0] as StoredTask;
};
const verbs = (): string[] => rig.world.calls.map((call) => call.verb);

describe('tasks', () => {
  it('makes one for each row, and none again', async () => {
    const sync = await tasks({ due: 'due' });
    row(1, 'Ann', '2026-04-01 10:00:00');
    row(2, 'Bob');
    await rig.run(sync);
    await rig.run(sync);
    await rig.run(sync, { scope: 'everything' });

    expect(all().map(({ title, due }) => [title, due])).toEqual([
      ['Call Ann', '2026-04-01'],
      ['Call Bob', undefined],
    ]);
  });

  it('makes one for each row, wherever the worker is killed', async () => {
    for (let dieAfter = 1; dieAfter < 70; dieAfter += 2) {
      await rig.reset();
      const sync = await tasks();
      row(1, 'Ann');
      row(2, 'Bob');
      await rig.run(sync, { dieAfter });
      await rig.run(sync);

      expect(
        all()
          .map((task) => task.title)
          .sort(),
        `died after ${dieAfter} steps`,
      ).toEqual(['Call Ann', 'Call Bob']);
    }
  });

  it('makes one for each row, wherever the worker is asked to stop', async () => {
    for (let stopAt = 1; stopAt < 8; stopAt += 1) {
      await rig.reset();
      const sync = await tasks();
      row(1, 'Ann');
      row(2, 'Bob');
      await rig.run(sync, { stopAt });

      expect(
        all()
          .map((task) => task.title)
          .sort(),
        `stopped at ${stopAt}`,
      ).toEqual(['Call Ann', 'Call Bob']);
    }
  });

  it.each([true, false])(
    'an answer that never came is looked up before it is asked for again (made: %s)',
    async (made) => {
      rig.world.findLagMs = 15_000;
      const sync = await tasks();
      row(1, 'Ann');
      rig.world.trouble = ({ verb }) =>
        verb === 'create' && verbs().filter((one) => one === 'create').length === 1
          ? { thrown: failure('OUTCOME_UNKNOWN'), applied: () => made }
          : undefined;
      await rig.run(sync);

      expect(only().title).toBe('Call Ann');
      expect(verbs()).toEqual(made ? ['create', 'find'] : ['create', 'find', 'create']);
    },
  );

  it('waits until a task can be found, counted from the call that may have made it', async () => {
    rig.world.findLagMs = 15_000;
    const sync = await tasks();
    row(1, 'Ann');
    let creates = 0;
    let called = 0;
    rig.world.trouble = ({ verb }) => {
      if (verb === 'find') {
        // It shows only so long after it was made.
        return rig.clock.now.getTime() - called < 15_000
          ? { outcomes: [undefined], applied: () => true }
          : undefined;
      }
      creates += 1;
      called = rig.clock.now.getTime();
      return creates === 1
        ? { thrown: failure('RATE_LIMITED', 60_000) }
        : creates === 2
          ? { thrown: failure('OUTCOME_UNKNOWN'), applied: () => true }
          : undefined;
    };
    await rig.run(sync);
    const found = rig.world.calls.at(-1);

    expect(found?.verb).toBe('find');
    expect(rig.clock.now.getTime() - called).toBeGreaterThanOrEqual(15_000);
    expect(only().title).toBe('Call Ann');
  });

  it('does not forget a task that may have been made when looking for it fails for good', async () => {
    const sync = await tasks();
    row(1, 'Ann');
    rig.world.trouble = ({ verb }) =>
      verb === 'create'
        ? { thrown: failure('OUTCOME_UNKNOWN'), applied: () => true }
        : { thrown: failure('AUTH_REJECTED') };
    expect((await rig.run(sync)).state).toBe('failed');
    rig.world.trouble = () => undefined;
    await rig.run(sync);

    expect(only().title).toBe('Call Ann');
  });

  it('closes the task of a row that leaves, and opens it when the row returns', async () => {
    const sync = await tasks({ removal: 'close', atMost: 5 });
    row(1, 'Ann');
    row(2, 'Bob');
    await rig.run(sync);
    gone(1);
    await rig.run(sync);
    expect(all().map((task) => task.state)).toEqual(['closed', 'open']);

    row(1, 'Ann');
    await rig.run(sync);

    expect(all().map((task) => task.state)).toEqual(['open', 'open']);
    expect(all()[0]?.comments).toEqual(['The row is no longer there.', 'The row is back.']);
  });

  it('opens what it closed, also when it was killed in the middle of closing', async () => {
    for (let dieAfter = 20; dieAfter < 80; dieAfter += 2) {
      await rig.reset();
      const sync = await tasks({ removal: 'close' });
      row(1, 'Ann');
      await rig.run(sync);
      gone(1);
      await rig.run(sync, { dieAfter, approve: true });
      expect(only().state).toBe('closed');
      row(1, 'Ann');
      await rig.run(sync);

      expect(only().state, `died after ${dieAfter} steps`).toBe('open');
    }
  });

  it('never touches what a person closed, whatever its row does', async () => {
    const sync = await tasks({ removal: 'close', update: true });
    row(1, 'Ann');
    await rig.run(sync);
    rig.world.tasks.set('T-1', { ...only(), state: 'closed' });
    rig.world.calls.length = 0;
    row(1, 'Anna');
    await rig.run(sync);
    gone(1);
    await rig.run(sync, { approve: true });
    row(1, 'Ann');
    await rig.run(sync);

    expect(only()).toMatchObject({ state: 'closed', title: 'Call Ann', comments: [] });
    expect(new Set(verbs())).toEqual(new Set(['state']));
    expect((await tasksOf(rig.db, sync.id, ['1'])).get('1')?.state).toBe('closed by a person');
  });

  it('makes no second task for one that somebody deleted', async () => {
    const sync = await tasks({ update: true });
    row(1, 'Ann');
    await rig.run(sync);
    rig.world.tasks.clear();
    row(1, 'Anna');
    await rig.run(sync);
    gone(1);
    await rig.run(sync);
    row(1, 'Ann');
    await rig.run(sync);

    expect(all()).toEqual([]);
  });

  it('comments once', async () => {
    const sync = await tasks({ removal: 'comment' });
    row(1, 'Ann');
    await rig.run(sync);
    gone(1);
    await rig.run(sync);
    await rig.run(sync);
    await rig.run(sync, { scope: 'everything' });

    expect(only()).toMatchObject({ state: 'open', comments: ['The row is no longer there.'] });
  });

  it('brings an open task up to date when asked to, and only then', async () => {
    for (const update of [false, true]) {
      await rig.reset();
      const sync = await tasks({ update });
      row(1, 'Ann');
      await rig.run(sync);
      row(1, 'Anna');
      await rig.run(sync);

      expect(only().title).toBe(update ? 'Call Anna' : 'Call Ann');
    }
  });

  it('a burst stops and asks', async () => {
    const sync = await tasks({ atMost: 3 });
    for (let id = 1; id <= 4; id += 1) {
      row(id, `P${id}`);
    }
    expect(await rig.run(sync)).toMatchObject({ state: 'held' });
    expect(all()).toEqual([]);

    await rig.run(sync, { approve: true });
    expect(all()).toHaveLength(4);
  });

  it('makes nothing for rows that are there at a silent first run', async () => {
    const sync = await tasks({ silentFirst: true });
    row(1, 'Ann');
    await rig.run(sync);
    row(2, 'Bob');
    await rig.run(sync);

    expect(only().title).toBe('Call Bob');
  });

  it('a row with an empty title, a day that is none or a template that fails is refused alone', async () => {
    const sync = await tasks({
      due: 'due',
      title: '{{ name }}',
      body: '{% if name == "Loop" %}{% for i in (1..99999) %}{% for j in (1..99999) %}x{% endfor %}{% endfor %}{% endif %}',
    });
    row(1, ' ');
    row(2, 'Bob', 'soon');
    row(3, 'Cid', '2026-04-01');
    row(4, 'Loop');
    const run = await rig.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 3, done: { made: 1 } } });
    expect(only().title).toBe('Cid');
  });
});
