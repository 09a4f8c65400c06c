import { describe, expect, it } from 'vitest';
import { Conversations } from '../../../engine/messages/conversations.ts';
import { Underway } from '../../../engine/messages/underway.ts';

/** A work that ends when it is told to. */
function gate(): { readonly work: () => Promise<void>; open(): void; breakWith(error: Error): void } {
  let open: () => void = () => undefined;
  let breakWith: (error: Error) => void = () => undefined;
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve;
    breakWith = reject;
  });
  return { work: () => passed, open: () => open(), breakWith: (error) => breakWith(error) };
}

describe('conversations', () => {
  it('keeps the order within a conversation, and lets others go on beside it', async () => {
    const conversations = new Conversations(2);
    const slow = gate();
    const said: string[] = [];
    const say = (what: string) => async () => {
      said.push(what);
    };

    const held = conversations.add('a', slow.work);
    const after = [conversations.add('a', say('a1')), conversations.add('a', say('a2'))];
    await Promise.all([conversations.add('b', say('b1')), conversations.add('c', say('c1'))]);
    expect(said).toEqual(['b1', 'c1']);
    slow.open();
    await Promise.all([held, ...after]);

    expect(said).toEqual(['b1', 'c1', 'a1', 'a2']);
  });

  it('works for no more conversations at once than it was told, each in its turn', async () => {
    const conversations = new Conversations(2);
    const gates = [gate(), gate(), gate()];
    const begun: number[] = [];
    const works = gates.map((one, at) =>
      conversations.add(`c${at}`, async () => {
        begun.push(at);
        await one.work();
      }),
    );

    expect(begun).toEqual([0, 1]);
    gates[1]?.open();
    await works[1];
    expect(begun).toEqual([0, 1, 2]);
    for (const one of gates) {
      one.open();
    }
    await Promise.all(works);
  });

  it('begins nothing more once a work has failed', async () => {
    const conversations = new Conversations(1);
    const first = gate();
    let begun = false;
    const failing = conversations.add('a', first.work);
    const works = ['a', 'b'].map((name) =>
      conversations.add(name, async () => {
        begun = true;
      }),
    );

    first.breakWith(new Error('the lease is lost'));
    const ends = await Promise.allSettled([failing, ...works]);

    expect(ends.map((end) => end.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(begun).toBe(false);
  });
});

describe('works under way', () => {
  it('makes who wants to begin one more wait for a place, and tells them of a failure', async () => {
    const underway = new Underway(2);
    const gates = [gate(), gate()];
    const ends = Promise.allSettled(gates.map((one) => underway.add(one.work)));

    let room = false;
    const waiting = underway.room().then(() => {
      room = true;
    });
    await Promise.resolve();
    expect(room).toBe(false);
    gates[0]?.open();
    await waiting;
    gates[1]?.breakWith(new Error('no database'));

    await expect(underway.done()).rejects.toThrow('no database');
    await expect(underway.room()).rejects.toThrow('no database');
    expect((await ends).map((end) => end.status)).toEqual(['fulfilled', 'rejected']);
  });
});
