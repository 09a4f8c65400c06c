import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FarSide, type Inside, type Play, Stage, sync } from './stage.ts';
import { activate } from './terminal.ts';

export interface Destination {
  readonly connector: string;
  readonly start: () => Promise<FarSide>;
  /** A worker in a process of its own is killed too. */
  readonly sigkill?: boolean;
  /** It is run from the command line too. */
  readonly terminal?: boolean;
  /** Rows are compared inside the warehouse. */
  readonly inside?: Inside;
}

/** The whole life of a sync, from a file to the end of its worst day. */
export function scenario(play: Play, destination: Destination): void {
  const { inside } = destination;
  const where = inside === undefined ? '' : `, compared inside the warehouse, ${inside}`;
  describe.concurrent(`${play.framework} to ${destination.connector}${where}`, () => {
    let stage: Stage;

    beforeAll(async () => {
      stage = await Stage.set(play, destination.connector, destination.start, inside);
    });

    afterAll(() => stage.close());

    it.sequential('sends everything at the first run, and is made by a file alone', async () => {
      await stage.add(20);
      await stage.apply();

      const run = await stage.house.ended(sync);
      expect(run).toMatchObject({
        state: 'done',
        counts: { rows: 20, added: 20, done: { [play.word]: 20 } },
      });
      await stage.isAsWanted();
    });

    it.sequential('sends nothing when nothing has changed', async () => {
      const before = await stage.far.writes();

      const run = await stage.house.run(sync);

      expect(run).toMatchObject({ state: 'done', counts: { added: 0, changed: 0, removed: 0, done: {} } });
      expect(await stage.far.writes()).toBe(before);
    });

    it.sequential('follows rows that come, change and go', async () => {
      await stage.add(1);
      await stage.change('update accounts set name = $1 where id = 3', ['Renamed']);
      await stage.change('update accounts set email = $1 where id = 4', ['moved@acme.example']);
      await stage.change('update accounts set gone = true where id = 5');

      const run = await stage.house.run(sync);

      expect(run).toMatchObject({ state: 'done', counts: { done: play.changes } });
      await stage.isAsWanted();
    });

    it.sequential('keeps what is refused with its reason, tries it again at each run, and heals', async () => {
      const { refusal } = stage.far;
      await ('bad' in refusal ? stage.refuseRow(refusal) : stage.refuseAll(refusal));
      await stage.isAsWanted();
    });

    it.sequential('outlasts a destination that is away', async () => {
      await stage.gate.shut();
      await stage.add(2);
      await stage.house.start(sync);
      await stage.house.until(sync, ({ attempts, worker }) => attempts > 0 && worker === null);
      await stage.gate.open();

      const run = await stage.house.ended(sync);

      expect(run).toMatchObject({ state: 'done', counts: { done: { [play.word]: 2 } } });
      expect(run.attempts).toBeGreaterThan(1);
      await stage.isAsWanted();
    });

    it.sequential('goes on after a destination that has too much to do', async (context) => {
      context.skip(stage.far.stumble === undefined, 'the far side has no such answer');
      await stage.add(2);
      stage.far.stumble?.();

      const run = await stage.house.run(sync);

      expect(run).toMatchObject({ state: 'done', counts: { done: { [play.word]: 2 } } });
      await stage.isAsWanted();
    });

    it.sequential('loses nothing and doubles nothing when workers are killed in the middle', async () => {
      await stage.dieInRun('here', 2);
      await stage.isAsWanted();
    });

    it.sequential('nor when the process itself is killed', async (context) => {
      context.skip(destination.sigkill !== true, 'once for each framework');
      await stage.dieInRun('own process', 1);
      await stage.isAsWanted();
    });

    it.sequential('says in the terminal what a run came to', async (context) => {
      context.skip(destination.terminal !== true, 'once is enough');
      await stage.add(2);

      const { code, out, err } = await activate(['run', sync, '--wait', '--json'], stage.house.env);

      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(JSON.parse(out)).toMatchObject({
        name: sync,
        state: 'done',
        counts: { added: 2, done: { [play.word]: 2 } },
        error: null,
      });
      await stage.isAsWanted();
    });

    it.sequential('is written as a file that changes nothing, and whose edits are seen', async () => {
      const { documents } = stage.house.services;
      const yaml = await documents.write();

      expect((await documents.plan(yaml)).filter(({ action }) => action !== 'none')).toEqual([]);
      expect((await documents.plan(stage.yaml)).filter(({ action }) => action !== 'none')).toEqual([]);
      expect(
        (await documents.plan(yaml.replace('0 0 1 1 *', '30 6 * * *'))).find(({ kind }) => kind === 'sync'),
      ).toEqual({
        kind: 'sync',
        name: sync,
        action: 'update',
        differences: [{ path: 'schedule', before: '0 0 1 1 *', after: '30 6 * * *' }],
      });
      for (const secret of Object.values(stage.far.connection(stage.gate.port).secrets)) {
        expect(yaml).not.toContain(secret);
      }
    });
  });
}
