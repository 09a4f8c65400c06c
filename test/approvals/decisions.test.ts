import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Reply } from '../../engine/contracts/chat.ts';
import type { ApprovalPolicy } from '../../engine/model/policy.ts';
import type { Hold } from '../../engine/store/holds.ts';
import { emailOf, type House, policyWith, startHouse, type Who, wordsOf } from './house.ts';

let house: House;
let made = 0;

beforeAll(async () => {
  house = await startHouse();
});

afterAll(() => house.close());

/** A sync of its own, held with three people to add. */
async function held(policy: Partial<ApprovalPolicy> = {}): Promise<Hold> {
  made += 1;
  house.world.members.clear();
  house.world.calls.length = 0;
  house.fill([1, 2, 3]);
  const changes = { policy: policyWith({ ask: 'always', ...policy }) };
  return house.hold(await house.audience(`decision-${made}`, changes));
}

async function expectRefused(reply: Reply, who: string, hold: Hold, why: string, outcome = 'NOT_ALLOWED') {
  expect(reply).toMatchObject({ kind: 'card', to: 'caller' });
  expect(wordsOf(reply)).toContain(why);
  expect((await house.log(hold.subject))[0]).toMatchObject({ kind: 'refusal', person: who, outcome });
}

async function expectDecidedBy(hold: Hold, who: Who): Promise<void> {
  const reply = await house.press(who, hold);
  expect(wordsOf(reply)).toContain('approved');
  expect(await house.ended(hold)).toMatchObject({ state: 'done' });
  expect(house.members()).toEqual([1, 2, 3]);
}

async function expire(hold: Hold): Promise<void> {
  await house.db.query(`update holds set expires_at = clock_timestamp() - interval '1 ms' where id = $1`, [
    hold.id,
  ]);
}

async function tend(): Promise<void> {
  await house.app.services.approvals.tend(AbortSignal.timeout(10_000));
}

describe('time', () => {
  it('that is over ends it, though nobody has noticed yet', async () => {
    const hold = await held();
    await house.stopWorker();
    await expire(hold);

    const reply = await house.press('ann', hold);

    await house.startWorker();
    await expectRefused(reply, 'Ann', hold, 'The time to decide is over', 'OUTDATED');
    expect(await house.now(hold)).toMatchObject({ state: 'expired', decidedBy: null });
    expect(await house.ended(hold)).toMatchObject({ state: 'failed', error: { code: 'NOT_APPROVED' } });
    expect(house.members()).toEqual([]);
  });

  it('that is over is noticed by itself, said on the card, and told to whoever asked', async () => {
    const hold = await held();
    await expire(hold);

    await tend();

    expect(await house.now(hold)).toMatchObject({ state: 'expired', verdict: 'Nobody decided in time.' });
    const [decision] = (await house.log(hold.subject)).filter(({ kind }) => kind === 'decision');
    expect(decision).toMatchObject({ person: 'Activate', personId: null, outcome: 'expired' });
    await expectRefused(await house.press('bob', hold), 'Bob', hold, 'decided already: expired', 'OUTDATED');
    const told = await house.db.query<{ card: string }>(
      `select card::text from local_messages where conversation_id <> 'approvals' order by id desc limit 1`,
    );
    expect(told[0]?.card).toContain('Expired');
  });

  it.each([
    ['days ahead', 20],
    ['days behind', -20],
  ])('is the database’s: a process whose clock is %s decides like all others', async (_how, days) => {
    const hold = await held();
    const late = await held();
    await house.stopWorker();
    await expire(late);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 86_400_000 });
    onTestFinished(() => void vi.useRealTimers());

    const reply = await house.press('ann', hold);
    const tooLate = await house.press('ann', late);

    vi.useRealTimers();
    await house.startWorker();
    expect(wordsOf(reply)).toContain('approved');
    expect(await house.ended(hold)).toMatchObject({ state: 'done' });
    expect(wordsOf(tooLate)).toContain('The time to decide is over');
    expect(Math.abs(((await house.now(hold)).decidedAt?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });
});

describe('one decision', () => {
  it('is made, and delivered once, however many click at once in two processes', async () => {
    const hold = await held();
    const { dispatch } = await house.open();
    const clicks = Array.from({ length: 40 }, (_, at) => () => {
      const who = (['ann', 'bob', 'cid', 'ada'] as const)[at % 4] ?? 'ann';
      return house.press(who, hold, at % 2 === 0 ? {} : { dispatch });
    });

    const replies = await house.inLine(hold, clicks);

    expect(replies.filter((reply) => reply.kind === 'card' && reply.to === 'pressed')).toHaveLength(1);
    const refused = replies.filter((reply) => wordsOf(reply).includes('decided already: approved by'));
    expect(refused).toHaveLength(39);
    expect(await house.ended(hold)).toMatchObject({ state: 'done' });
    const log = await house.log(hold.subject);
    expect(log.filter(({ kind, outcome }) => kind === 'decision' && outcome === 'approved')).toHaveLength(1);
    expect(log.filter(({ kind }) => kind === 'refusal')).toHaveLength(39);
    expect(house.world.calls.map(({ verb, keys }) => [verb, keys.length])).toEqual([['add', 3]]);
  });

  it('is made of yes and no at once', async () => {
    const hold = await held();
    const no = { command: 'reject', input: { reason: 'Not now.' } } as const;

    const replies = await house.inLine(hold, [
      () => house.press('ann', hold),
      () => house.press('bob', hold, no),
    ]);

    const { state } = await house.now(hold);
    const run = await house.ended(hold);
    expect(replies.filter((reply) => reply.kind === 'card' && reply.to === 'pressed')).toHaveLength(1);
    expect(['approved', 'rejected']).toContain(state);
    expect(run.state).toBe(state === 'approved' ? 'done' : 'failed');
    expect(house.members()).toEqual(state === 'approved' ? [1, 2, 3] : []);
  });

  it('is made by the first of two clicks of the same person', async () => {
    const hold = await held();
    await expectDecidedBy(hold, 'ann');

    const again = await house.press('ann', hold);

    await expectRefused(again, 'Ann', hold, 'decided already: approved by Ann', 'OUTDATED');
    expect(house.world.calls).toHaveLength(1);
  });

  it('to say no is enough by one, with why, and stops the sync where that is wanted', async () => {
    const hold = await held({ quorum: 2 });

    await house.press('bob', hold, { command: 'reject', input: { reason: 'Too many.', next: 'pause' } });

    expect(await house.now(hold)).toMatchObject({
      state: 'rejected',
      decidedBy: 'Bob',
      verdict: 'Too many.',
    });
    expect((await house.app.services.syncs.show(hold.subject)).sync.state).toBe('paused');
    expect(await house.ended(hold)).toMatchObject({ state: 'failed' });
    expect(house.members()).toEqual([]);
  });
});

describe('a role', () => {
  it.each(['viewer', 'editor'] as const)('of %s decides nothing', async (role) => {
    const who = role === 'viewer' ? 'vic' : 'erin';
    const hold = await held();
    for (const command of ['approve', 'reject', 'delegate'] as const) {
      const input = { reason: 'No.', person: emailOf(who) };

      const reply = await house.press(who, hold, { command, input });

      const name = role === 'viewer' ? 'Vic' : 'Erin';
      await expectRefused(reply, name, hold, 'needs the role approver', 'refused');
    }
    expect(await house.now(hold)).toMatchObject({ state: 'pending' });
  });

  it.each(['approve', 'reject', 'delegate'] as const)(
    'that is lost between the check of a click and its decision is lost: %s',
    async (command) => {
      const hold = await held();
      onTestFinished(() => house.setRole('ann', 'approver'));
      const input = { reason: 'No.', person: emailOf('bob') };

      const [reply] = await house.inLine(hold, [() => house.press('ann', hold, { command, input })], () =>
        house.setRole('ann', 'editor'),
      );

      await expectRefused(reply as Reply, 'Ann', hold, 'You are no approver any more', 'OUTDATED');
      expect(await house.now(hold)).toMatchObject({ state: 'pending' });
      await expectDecidedBy(hold, 'bob');
    },
  );
});

describe('whoever asked', () => {
  it('does not decide where others have to', async () => {
    const hold = await held({ others: true });

    await expectRefused(await house.press('ada', hold), 'Ada', hold, 'You asked for it');
    const handed = await house.press('ann', hold, { command: 'delegate', input: { person: emailOf('ada') } });
    expect(handed.kind).toBe('form');
    expect((await house.log(hold.subject))[0]).toMatchObject({ kind: 'refusal', outcome: 'NOT_ALLOWED' });
    await expectRefused(await house.press('ada', hold), 'Ada', hold, 'You asked for it');
    await expectDecidedBy(hold, 'ann');
  });

  it('does elsewhere', async () => {
    await expectDecidedBy(await held(), 'ada');
  });
});

describe('two of them', () => {
  it('are two people, not one twice', async () => {
    const hold = await held({ quorum: 2 });
    await house.press('ann', hold);

    await expectRefused(
      await house.press('ann', hold),
      'Ann',
      hold,
      'You agreed already: 1 of 2',
      'OUTDATED',
    );

    expect(await house.now(hold)).toMatchObject({ state: 'pending' });
    expect((await house.log(hold.subject)).map(({ outcome }) => outcome)).toContain('agreed, 1 of 2');
    await expectDecidedBy(hold, 'bob');
  });

  it('may click at once', async () => {
    const hold = await held({ quorum: 2 });
    const { dispatch } = await house.open();

    await house.inLine(hold, [
      () => house.press('ann', hold),
      () => house.press('bob', hold, { dispatch }),
      () => house.press('ann', hold, { dispatch }),
      () => house.press('ann', hold),
    ]);

    expect(await house.now(hold)).toMatchObject({ state: 'approved' });
    expect(await house.ended(hold)).toMatchObject({ state: 'done' });
    expect(house.world.calls).toHaveLength(1);
  });

  it('have to be there at the end: who lost the role does not count any more', async () => {
    const hold = await held({ quorum: 2 });
    onTestFinished(() => house.setRole('ann', 'approver'));
    await house.press('ann', hold);
    await house.setRole('ann', 'editor');

    await house.press('bob', hold);

    expect(await house.now(hold)).toMatchObject({ state: 'pending' });
    await expectDecidedBy(hold, 'cid');
  });

  it('are not made by one who hands the decision on', async () => {
    const hold = await held({ quorum: 2, approvers: [emailOf('bob'), emailOf('cid')] });
    await house.press('bob', hold, { command: 'delegate', input: { person: emailOf('ann') } });
    await house.press('ann', hold);

    await house.press('bob', hold);

    expect(await house.now(hold)).toMatchObject({ state: 'pending' });
    await expectDecidedBy(hold, 'cid');
  });

  it('may be one of them and whom the other one handed it on to', async () => {
    const hold = await held({ quorum: 2, approvers: [emailOf('bob'), emailOf('cid')] });
    await house.press('bob', hold, { command: 'delegate', input: { person: emailOf('ann') } });
    await house.press('cid', hold);

    await expectDecidedBy(hold, 'ann');
  });

  it('are one once the policy asks for one, who may then click again', async () => {
    const hold = await held({ quorum: 2 });
    await house.press('ann', hold);
    await house.db.query(`update syncs set policy = '{"ask": "always"}' where name = $1`, [hold.subject]);

    await expectDecidedBy(hold, 'ann');
  });
});
