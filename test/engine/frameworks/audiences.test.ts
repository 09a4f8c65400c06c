import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sync } from '../../../engine/store/syncs.ts';
import { failure } from '../../support/memory.ts';
import { number, type Rig, startRig, text } from '../../support/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(() => rig.reset());

const columns = [number('id'), text('mail'), text('code')];
const audience = (given: object = {}): Promise<Sync> =>
  rig.sync(
    'audiences',
    { list: 'list', listName: 'VIPs', identifiers: { EMAIL: 'mail' }, ...given },
    { columns },
  );
const person = (id: number, mail: string | null, code: string | null = null): void => {
  rig.world.rows = [...rig.world.rows.filter(([key]) => key !== String(id)), [String(id), mail, code]];
};
const gone = (id: number): void => {
  rig.world.rows = rig.world.rows.filter(([key]) => key !== String(id));
};
const list = (): string[] => [...rig.world.members].sort();
const calls = (verb: string): unknown[] =>
  rig.world.calls.filter((call) => call.verb === verb).flatMap((call) => call.items);

describe('audiences', () => {
  it('adds who enters, removes who leaves, and changes an address with the row', async () => {
    const sync = await audience();
    person(1, ' Ann@X.example');
    person(2, 'bob@x.example');
    await rig.run(sync);
    expect(list()).toEqual(['EMAIL ann@x.example', 'EMAIL bob@x.example']);

    person(1, 'ann@new.example');
    gone(2);
    await rig.run(sync);

    expect(list()).toEqual(['EMAIL ann@new.example']);
  });

  it('another way of writing the same address is no change', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    await rig.run(sync);
    rig.world.calls.length = 0;
    person(1, 'ANN@x.example ');
    await rig.run(sync);

    expect(rig.world.calls).toEqual([]);
  });

  it('of two rows with one address, one leaves: the person stays; then the other: the person goes', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    person(2, 'ann@x.example');
    await rig.run(sync);
    gone(2);
    await rig.run(sync);
    expect(list()).toEqual(['EMAIL ann@x.example']);

    gone(1);
    await rig.run(sync, { approve: true });
    expect(list()).toEqual([]);
  });

  it('two rows swap their addresses: nobody is taken off in between', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    person(2, 'bob@x.example');
    await rig.run(sync);
    person(1, 'bob@x.example');
    person(2, 'ann@x.example');
    await rig.run(sync);

    expect(calls('remove')).toEqual([]);
    expect(list()).toEqual(['EMAIL ann@x.example', 'EMAIL bob@x.example']);
  });

  it('takes off before it puts on, so that who is known by two things stays', async () => {
    const sync = await audience({ identifiers: { EMAIL: 'mail', ID: 'code' } });
    person(2, 'bob@x.example', 'b');
    await rig.run(sync);
    person(1, 'ann@x.example', 'a');
    person(2, 'bob@x.example', 'c');
    rig.world.calls.length = 0;
    await rig.run(sync);

    expect(rig.world.calls.map((call) => call.verb)).toEqual(['remove', 'add']);
    expect(calls('remove')).toMatchObject([{ identifiers: { ID: 'b' } }]);
  });

  it('a row without anything usable is refused with its reason, and stays on the list as it was', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    person(2, 'no address');
    person(3, null);
    const run = await rig.run(sync);
    expect(run.counts).toMatchObject({ failed: 2, done: { 'added to the list': 1 } });
    expect(JSON.stringify(run.counts.refusals)).not.toContain('no address');

    person(1, 'broken');
    await rig.run(sync);
    expect(list()).toEqual(['EMAIL ann@x.example']);
    person(1, 'ann@x.example');
    expect((await rig.run(sync)).counts).toMatchObject({ failed: 2 });
    expect(list()).toEqual(['EMAIL ann@x.example']);
  });

  it('keeps the same people off the list, whatever row they are in', async () => {
    const sync = await audience({ holdoutPercent: 40 });
    for (let id = 1; id <= 200; id += 1) {
      person(id, `p${id}@x.example`);
    }
    await rig.run(sync);
    const first = list();
    expect(first.length).toBeGreaterThan(90);
    expect(first.length).toBeLessThan(150);

    rig.world.rows = rig.world.rows.map(([id, mail]) => [String(1000 - Number(id)), mail ?? null, 'moved']);
    await rig.run(sync, { approve: true });

    expect(list()).toEqual(first);
  });

  it('somebody who is kept off does not keep others on', async () => {
    const sync = await audience({ identifiers: { EMAIL: 'mail', ID: 'code' }, holdoutPercent: 50 });
    for (let id = 1; id <= 40; id += 1) {
      person(id, `p${id}@x.example`, `c${id}`);
    }
    await rig.run(sync);
    const on = rig.world.rows.find(([, mail]) => rig.world.members.has(`EMAIL ${mail}`)) as string[];
    const off = rig.world.rows.find(([, mail]) => !rig.world.members.has(`EMAIL ${mail}`)) as string[];
    person(Number(off[0]), on[1] as string, off[2] as string);
    await rig.run(sync);
    gone(Number(on[0]));
    await rig.run(sync);

    expect(list()).not.toContain(`EMAIL ${on[1]}`);
  });

  it.each([
    ['nobody at all', {}, 0],
    ['fewer than the least', { atLeast: 9 }, 8],
    ['more than the most', { atMost: 10 }, 11],
  ])('stops and asks: %s; a person lets it pass', async (_, guard, left) => {
    const sync = await audience(guard);
    for (let id = 1; id <= 10; id += 1) {
      person(id, `p${id}@x.example`);
    }
    await rig.run(sync);
    const before = list();
    rig.world.rows = Array.from({ length: left }, (_, at) => [String(at + 1), `p${at + 1}@x.example`, null]);

    expect(await rig.run(sync)).toMatchObject({ state: 'held' });
    expect(list()).toEqual(before);

    await rig.run(sync, { approve: true });
    expect(list()).toHaveLength(left);
  });

  it('who may have been put on the list is taken off, though nobody heard the answer', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    rig.world.trouble = () => ({
      outcomes: [{ state: 'unknown', reason: 'No answer.' }],
      applied: () => true,
    });
    await rig.run(sync);
    rig.world.trouble = () => undefined;
    gone(1);
    await rig.run(sync, { approve: true });

    expect(list()).toEqual([]);
  });

  it('a row of which half was done is done again, though it is as it was before', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    await rig.run(sync);
    person(1, 'new@x.example');
    rig.world.trouble = ({ verb }) =>
      verb === 'add' ? { outcomes: [{ state: 'rejected', reason: 'Not this one.' }] } : undefined;
    await rig.run(sync);
    expect(list()).toEqual([]);

    rig.world.trouble = () => undefined;
    person(1, 'ann@x.example');
    await rig.run(sync);
    expect(list()).toEqual(['EMAIL ann@x.example']);
  });

  it('what a run that was killed and then failed may have added is not forgotten', async () => {
    const sync = await audience();
    person(1, 'ann@x.example');
    let calls = 0;
    rig.world.trouble = () => {
      calls += 1;
      return calls === 1
        ? { thrown: failure('OUTCOME_UNKNOWN'), applied: () => true }
        : { thrown: failure('AUTH_REJECTED') };
    };
    expect((await rig.run(sync)).state).toBe('failed');
    expect(list()).toEqual(['EMAIL ann@x.example']);

    rig.world.trouble = () => undefined;
    gone(1);
    await rig.run(sync, { approve: true });
    expect(list()).toEqual([]);
  });
});
