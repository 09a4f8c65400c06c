import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { releaseMails } from '../../../engine/store/mails.ts';
import { openRejections, reasonsOf, skipRejections } from '../../../engine/store/rejections.ts';
import { suppress, suppressionOf, unsuppress } from '../../../engine/store/suppressions.ts';
import type { Sync } from '../../../engine/store/syncs.ts';
import { failure } from '../../support/memory.ts';
import { number, type Rig, startRig, text } from '../../support/rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.close());
beforeEach(async () => {
  await rig.reset();
  await rig.db.query('delete from suppressions');
});

const columns = [number('id'), text('name'), text('email'), text('plan')];
const settings = {
  to: 'email',
  subject: 'Hello {{ name }}',
  text: 'You are on *{{ plan }}*.',
  silentFirst: false,
};
const mailing = (given: object = {}): Promise<Sync> =>
  rig.sync('mail', { ...settings, ...given }, { columns });
const row = (id: number, name: string, email: string | null, plan = 'Trial'): void => {
  rig.world.rows = [...rig.world.rows.filter(([key]) => key !== String(id)), [String(id), name, email, plan]];
};
const gone = (id: number): void => {
  rig.world.rows = rig.world.rows.filter(([key]) => key !== String(id));
};
const sent = (): readonly string[] =>
  rig.world.mails.map(({ to, subject }) => `${to}: ${subject}`).toSorted();

describe('a mailing', () => {
  it('writes to each person once, and not again', async () => {
    const sync = await mailing();
    row(1, 'Ann', ' Ann@Customer.Example ');
    row(2, 'Bob', 'bob@customer.example');

    const first = await rig.run(sync);
    const second = await rig.run(sync);
    await rig.run(sync, { scope: 'everything' });

    expect(sent()).toEqual(['ann@customer.example: Hello Ann', 'bob@customer.example: Hello Bob']);
    expect(first.counts.done).toEqual({ sent: 2 });
    expect(second.counts.done).toEqual({});
  });

  it('takes the rows that are there first as known, unless it is told otherwise', async () => {
    const sync = await mailing({ silentFirst: true });
    row(1, 'Ann', 'ann@customer.example');
    await rig.run(sync);
    row(2, 'Bob', 'bob@customer.example');
    await rig.run(sync);

    expect(sent()).toEqual(['bob@customer.example: Hello Bob']);
  });

  it('does not write again about a row that left and came back, unless it is told to', async () => {
    for (const repeat of [false, true]) {
      await rig.reset();
      const sync = await mailing({ repeat });
      row(1, 'Ann', 'ann@customer.example');
      await rig.run(sync);
      gone(1);
      await rig.run(sync);
      row(1, 'Ann', 'ann@customer.example');
      const { counts } = await rig.run(sync);

      expect(rig.world.mails).toHaveLength(repeat ? 2 : 1);
      expect(counts.done).toEqual(repeat ? { sent: 1 } : { 'written to before': 1 });
    }
  });

  it('writes about what changed, with what it was before', async () => {
    const sync = await mailing({
      trigger: 'changed',
      watch: ['plan'],
      repeat: true,
      subject: '{{ previous.plan }} to {{ plan }}',
    });
    row(1, 'Ann', 'ann@customer.example', 'Trial');
    await rig.run(sync);
    row(1, 'Anna', 'ann@customer.example', 'Trial');
    await rig.run(sync);
    row(1, 'Anna', 'ann@customer.example', 'Pro');
    await rig.run(sync);
    row(1, 'Anna', 'ann@customer.example', 'Team');
    await rig.run(sync);

    expect(sent()).toEqual(['ann@customer.example: Pro to Team', 'ann@customer.example: Trial to Pro']);
  });

  it('writes to people whose row left, with what it was', async () => {
    const sync = await mailing({ trigger: 'removed' });
    row(1, 'Ann', 'ann@customer.example');
    await rig.run(sync);
    gone(1);
    await rig.run(sync);

    expect(sent()).toEqual(['ann@customer.example: Hello Ann']);
  });

  it('writes when a number crosses a line, and says nothing when it comes back', async () => {
    const sync = await mailing({
      trigger: 'threshold',
      threshold: { on: 'value', column: 'id', test: 'above', limit: 5 },
      repeat: true,
    });
    row(3, 'Ann', 'ann@customer.example');
    row(9, 'Bob', 'bob@customer.example');
    await rig.run(sync);
    gone(9);
    await rig.run(sync);

    expect(sent()).toEqual(['bob@customer.example: Hello Bob']);
  });

  it('writes to all at each run where that is asked for', async () => {
    const sync = await mailing({ trigger: 'every', repeat: true });
    row(1, 'Ann', 'ann@customer.example');
    await rig.run(sync);
    await rig.run(sync);

    expect(rig.world.mails).toHaveLength(2);
    expect(new Set(rig.world.mails.map(({ mark }) => mark)).size).toBe(2);
  });

  it('is kept quiet while it is muted', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    await rig.db.query(`update syncs set muted_until = '2026-03-02' where id = $1`, [sync.id]);

    const { counts } = await rig.run(sync);

    expect(sent()).toEqual([]);
    expect(counts.done).toEqual({ 'kept quiet': 1 });
  });

  it('stops and asks before more mails go out at once than it may', async () => {
    const sync = await mailing({ atMost: 1 });
    row(1, 'Ann', 'ann@customer.example');
    row(2, 'Bob', 'bob@customer.example');

    expect((await rig.run(sync)).state).toBe('held');
    expect(sent()).toEqual([]);
    expect((await rig.run(sync, { approve: true })).state).toBe('done');
    expect(sent()).toHaveLength(2);
  });
});

describe('who is not written to', () => {
  it('is left out and counted: on this list or on all, and not because of another one', async () => {
    const sync = await mailing({ list: 'trials' });
    row(1, 'Ann', 'ANN@customer.example');
    row(2, 'Bob', 'bob@customer.example');
    row(3, 'Cem', 'cem@customer.example');
    const off = { reason: 'unsubscribed' } as const;
    await suppress(
      rig.db,
      [
        { ...off, address: 'ann@customer.example', list: 'trials' },
        { ...off, address: 'bob@customer.example', list: '' },
        { ...off, address: 'cem@customer.example', list: 'other' },
      ],
      rig.clock.now,
    );

    const { counts } = await rig.run(sync);

    expect(sent()).toEqual(['cem@customer.example: Hello Cem']);
    expect(counts).toMatchObject({ done: { sent: 1, suppressed: 2 }, failed: 0 });
  });

  it('is an address that nobody has: refused once, and from then on left out', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    rig.world.mailSays = () => ({ state: 'rejected', reason: 'Nobody has this address.', gone: true });
    const first = await rig.run(sync);
    const second = await rig.run(sync);

    expect(first.counts).toMatchObject({ failed: 1, refusals: [{ reason: 'Nobody has this address.' }] });
    expect(await suppressionOf(rig.db, 'ann@customer.example', 'x')).toMatchObject({
      reason: 'bounced',
      list: '',
    });
    expect(second.counts).toMatchObject({ failed: 0, done: { suppressed: 1 } });
  });

  it('has taken themselves off while the run was under way', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    row(2, 'Bob', 'bob@customer.example');
    row(3, 'Cem', 'cem@customer.example');
    const off = { address: 'cem@customer.example', list: '', reason: 'unsubscribed' } as const;
    // Two mails are under way at once: the third is looked at when one of them is through.
    rig.world.mailSays = async () => {
      await suppress(rig.db, [off], rig.clock.now);
      return undefined;
    };

    await rig.run(sync);

    expect(sent()).toEqual(['ann@customer.example: Hello Ann', 'bob@customer.example: Hello Bob']);
  });

  it('is written to again once they are off the list, at the next occasion', async () => {
    const sync = await mailing({ repeat: true });
    const off = { address: 'ann@customer.example', list: '', reason: 'by hand' } as const;
    await suppress(rig.db, [off], rig.clock.now);
    row(1, 'Ann', 'ann@customer.example');
    await rig.run(sync);
    await unsuppress(rig.db, 'ann@customer.example', undefined);
    gone(1);
    await rig.run(sync);
    row(1, 'Ann', 'ann@customer.example');
    await rig.run(sync);

    expect(sent()).toEqual(['ann@customer.example: Hello Ann']);
  });
});

describe('a row of which no mail can be made', () => {
  it.each([
    [null, 'The column email names nobody.'],
    ['   ', 'The column email names nobody.'],
    ['nobody', 'This is not an e-mail address.'],
    ['a@b.example, c@d.example', 'This is not an e-mail address.'],
    ['Ann <ann@customer.example>', 'This is not an e-mail address.'],
    ['ann@customer.example\r\nBcc: x@y.example', 'This is not an e-mail address.'],
    [`${'a'.repeat(65)}@customer.example`, 'This e-mail address is longer than any can be.'],
  ])(
    'has the address %j: the others are written to, and it comes again until it is well',
    async (bad, reason) => {
      const sync = await mailing();
      row(1, 'Ann', bad);
      row(2, 'Bob', 'bob@customer.example');

      const first = await rig.run(sync);
      const again = await rig.run(sync);
      row(1, 'Ann', 'ann@customer.example');
      const healed = await rig.run(sync);

      expect(first.counts).toMatchObject({
        failed: 1,
        done: { sent: 1 },
        refusals: [{ reason, example: '1' }],
      });
      expect(again.counts).toMatchObject({ failed: 1, done: {} });
      expect(healed.counts).toMatchObject({ failed: 0, done: { sent: 1 } });
      expect(await reasonsOf(rig.db, sync.id)).toEqual([]);
      expect(sent()).toHaveLength(2);
    },
  );

  it('leaves subject or text empty', async () => {
    const sync = await mailing({ subject: '{{ name }}' });
    row(1, ' ', 'ann@customer.example');

    const { counts } = await rig.run(sync);

    expect(counts).toMatchObject({
      failed: 1,
      refusals: [{ reason: 'The row leaves the subject of its mail empty.' }],
    });
  });

  it('is left out once a person says so', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'nobody');
    await rig.run(sync);
    await skipRejections(rig.db, sync.id, {});

    const { counts } = await rig.run(sync);

    expect(counts).toMatchObject({ failed: 0, skipped: 1 });
  });
});

describe('what passes by itself', () => {
  it('is waited for within the run, all of it together', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    row(2, 'Bob', 'bob@customer.example');
    const tries = new Map<string, number>();
    rig.world.mailSays = ({ to }) => {
      tries.set(to, (tries.get(to) ?? 0) + 1);
      return tries.get(to) === 1 ? { state: 'retry', reason: 'Greylisted.' } : undefined;
    };

    const { counts } = await rig.run(sync);

    expect(counts).toMatchObject({ failed: 0, done: { sent: 2 } });
    expect(rig.slept).toEqual([10]);
  });

  it('and does not pass: the row comes again at the next run, with the same mail', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    const marks = new Set<string>();
    rig.world.mailSays = ({ mark }) => {
      marks.add(mark);
      return { state: 'retry', reason: 'Greylisted.' };
    };
    const first = await rig.run(sync);
    rig.world.mailSays = ({ mark }) => {
      marks.add(mark);
      return undefined;
    };
    const second = await rig.run(sync);

    expect(first.counts).toMatchObject({ failed: 1, refusals: [{ reason: 'Greylisted.' }] });
    expect(second.counts).toMatchObject({ failed: 0, done: { sent: 1 } });
    expect(marks.size).toBe(1);
  });

  it('is a server that is away: nobody is refused, and the run goes on when it is back', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    let away = 4;
    rig.world.mailSays = () => {
      away -= 1;
      if (away >= 0) {
        throw failure('UNAVAILABLE');
      }
      return undefined;
    };

    const run = await rig.run(sync);

    expect(run).toMatchObject({ state: 'done', attempts: 2, counts: { failed: 0, done: { sent: 1 } } });
    expect(sent()).toHaveLength(1);
  });

  it('is not a password that is refused: the run ends, and those who were written to are not written to again', async () => {
    const sync = await mailing({ repeat: true });
    row(1, 'Ann', 'ann@customer.example');
    row(2, 'Bob', 'bob@customer.example');
    row(3, 'Cem', 'cem@customer.example');
    rig.world.mailSays = ({ to }) => {
      if (to.startsWith('cem')) {
        throw failure('AUTH_REJECTED');
      }
      return undefined;
    };
    const failed = await rig.run(sync);
    rig.world.mailSays = () => undefined;
    const next = await rig.run(sync);

    expect(failed).toMatchObject({ state: 'failed', error: { code: 'AUTH_REJECTED' } });
    expect(next).toMatchObject({ state: 'done', counts: { done: { sent: 3 } } });
    expect(sent()).toEqual([
      'ann@customer.example: Hello Ann',
      'bob@customer.example: Hello Bob',
      'cem@customer.example: Hello Cem',
    ]);
  });
});

describe('a mail of which nobody can say whether it was taken', () => {
  it('is not sent again by itself, and is shown until somebody decides', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    rig.world.mailSays = () => ({ state: 'unknown', reason: 'No answer came.' });
    const first = await rig.run(sync);
    rig.world.mailSays = () => undefined;
    const second = await rig.run(sync);

    expect(first.counts).toMatchObject({ failed: 1 });
    expect(second.counts).toMatchObject({ failed: 1, done: {} });
    expect(rig.world.mails).toHaveLength(1);
    expect(await openRejections(rig.db, sync.id, undefined, 10)).toMatchObject([
      { key: '1', reason: expect.stringContaining('may have arrived') },
    ]);

    expect(await releaseMails(rig.db, sync.id, '1')).toBe(1);
    const third = await rig.run(sync);

    expect(third.counts).toMatchObject({ failed: 0, done: { sent: 1 } });
    // Whoever got both can tell that they are one.
    expect(new Set(rig.world.mails.map(({ mark }) => mark)).size).toBe(1);
  });

  it('is taken for sent once a person has the row skipped', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    rig.world.mailSays = () => ({ state: 'unknown', reason: 'No answer came.' });
    await rig.run(sync);
    await skipRejections(rig.db, sync.id, {});
    await rig.run(sync);
    rig.world.mailSays = () => undefined;
    const { counts } = await rig.run(sync);

    expect(counts).toMatchObject({ failed: 0, done: {} });
    expect(rig.world.mails).toHaveLength(1);
  });
});

describe('a worker that dies', () => {
  it.each([true, false])(
    'at any step loses no mail, and says none twice (repeat: %s)',
    async (repeat) => {
      let doubts = 0;
      for (let dieAfter = repeat ? 1 : 2; dieAfter < 90; dieAfter += 2) {
        await rig.reset();
        const sync = await mailing({ repeat });
        row(1, 'Ann', 'ann@customer.example');
        row(2, 'Bob', 'bob@customer.example');
        row(3, 'Cem', 'cem@customer.example');
        await rig.run(sync, { dieAfter });
        await rig.run(sync);

        const label = `died after ${dieAfter} steps`;
        const taken = rig.world.mails.map(({ to }) => to);
        expect(new Set(taken).size, label).toBe(taken.length);
        const open = await openRejections(rig.db, sync.id, undefined, 10);
        doubts += open.length;
        // Who was not written to is in doubt, and shown; two can be under way when a worker dies.
        const inDoubt = open.map(({ key }) => key);
        const missing = ['ann', 'bob', 'cem']
          .map((name, at) => [`${name}@customer.example`, String(at + 1)] as const)
          .filter(([address]) => !taken.includes(address));
        expect(inDoubt, label).toEqual(expect.arrayContaining(missing.map(([, key]) => key)));
        expect(inDoubt.length, label).toBeLessThanOrEqual(2);
      }
      expect(doubts).toBeGreaterThan(0);
    },
    120_000,
  );

  it('leaves nothing in doubt of which the server had heard nothing', async () => {
    const sync = await mailing();
    row(1, 'Ann', 'ann@customer.example');
    rig.world.mailSays = () => {
      throw failure('UNAVAILABLE');
    };
    await rig.run(sync, { attempts: 1 });
    rig.world.mailSays = () => undefined;

    const { counts } = await rig.run(sync);

    expect(counts).toMatchObject({ failed: 0, done: { sent: 1 } });
  });
});
