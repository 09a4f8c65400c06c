import { expect, it } from 'vitest';
import { Lanes } from '../../../engine/run/lanes.ts';
import type { Run } from '../../../engine/store/runs.ts';

/** Lanes over runs that end when they are told to. */
function lanesOf(count: number, taken: (id: number) => boolean = () => false) {
  const claims: (readonly number[])[] = [];
  const carried: number[] = [];
  const ends = new Map<number, () => void>();
  const begun: ((id: number) => void)[] = [];
  const lanes = new Lanes({
    count,
    claim: async (ids) => {
      claims.push(ids);
      return ids.filter((id) => !taken(id)).map((id) => ({ id }) as Run);
    },
    carry: async ({ id }) => {
      carried.push(id);
      for (const heard of begun.splice(0)) {
        heard(id);
      }
      await new Promise<void>((resolve) => ends.set(id, resolve));
    },
  });
  const nextBegun = (): Promise<number> => new Promise((resolve) => begun.push(resolve));
  return { lanes, claims, carried, end: (id: number) => ends.get(id)?.(), nextBegun };
}

it('claims a run only when a lane is free for it, while runs take long', async () => {
  const { lanes, claims, carried, end, nextBegun } = lanesOf(2);
  const first = nextBegun();
  const all = lanes.add([1, 2, 3, 4]);
  await first;
  expect(claims).toEqual([[1, 2]]);

  const third = nextBegun();
  end(1);
  await third;
  expect(claims).toEqual([[1, 2], [3]]);

  const fourth = nextBegun();
  end(2);
  await fourth;
  end(3);
  end(4);
  await all;
  expect(carried).toEqual([1, 2, 3, 4]);
});

it('claims many in one statement once runs have proved short', async () => {
  const claims: number[] = [];
  const lanes = new Lanes({
    count: 2,
    claim: async (ids) => {
      claims.push(ids.length);
      return ids.map((id) => ({ id }) as Run);
    },
    carry: () => Promise.resolve(),
  });

  await lanes.add(Array.from({ length: 2000 }, (_, id) => id));

  expect(claims[0]).toBe(2);
  expect(Math.max(...claims)).toBeGreaterThan(100);
  expect(claims.reduce((sum, count) => sum + count)).toBe(2000);
});

it('carries a run once though it came twice, and passes over one that another worker has', async () => {
  const { lanes, claims, carried, end, nextBegun } = lanesOf(1, (id) => id === 1);
  const begun = nextBegun();
  const first = lanes.add([1, 2]);
  await lanes.add([2, 1]);

  expect(await begun).toBe(2);
  end(2);
  await first;

  expect(claims).toEqual([[1], [2]]);
  expect(carried).toEqual([2]);
});

it('carries a run on that was approved before it was let go, once it is', async () => {
  const { lanes, claims, carried, end, nextBegun } = lanesOf(2);
  const begun = nextBegun();
  const first = lanes.add([1]);
  await begun;
  await lanes.add([1]);
  expect(claims).toEqual([[1]]);

  const again = nextBegun();
  end(1);
  await first;

  expect(await again).toBe(1);
  expect(carried).toEqual([1, 1]);
  end(1);
});

it('lets go of what is not claimed when it closes, and of all that comes later', async () => {
  const { lanes, carried, end, nextBegun } = lanesOf(1);
  const begun = nextBegun();
  const all = lanes.add([1, 2, 3]);
  await begun;

  const unclaimed = lanes.close();
  await lanes.add([4]);
  end(1);
  await all;

  expect(unclaimed).toEqual([2, 3, 4]);
  expect(carried).toEqual([1]);
});

it('tells who brought a run that it could not be claimed, and goes on with others', async () => {
  let fails = true;
  const lanes = new Lanes({
    count: 1,
    claim: async (ids) => {
      if (fails) {
        throw new Error('no database');
      }
      return ids.map((id) => ({ id }) as Run);
    },
    carry: async () => undefined,
  });

  await expect(lanes.add([1])).rejects.toThrow('no database');
  fails = false;

  await expect(lanes.add([1])).resolves.toBeUndefined();
});
