import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApprovalPolicy } from '../../engine/model/policy.ts';
import { copiesOf, type Hold } from '../../engine/store/holds.ts';
import { emailOf, type House, policyWith, startHouse, type Who } from './house.ts';

let house: House;
let made = 0;

beforeAll(async () => {
  house = await startHouse();
});

afterAll(() => house.close());

async function held(
  policy: Partial<ApprovalPolicy> = {},
  destination = 'far-side',
  maker: Who = 'ada',
): Promise<Hold> {
  made += 1;
  house.world.members.clear();
  house.fill([1, 2, 3]);
  const changes = { destination, policy: policyWith({ ask: 'always', ...policy }) };
  return house.hold(await house.audience(`asked-${made}`, changes, maker));
}

/** Those who press are refused in the log, and it waits as before; the last one decides. */
async function expectOnly(hold: Hold, refused: readonly Who[], allowed: Who): Promise<void> {
  for (const who of refused) {
    const reply = await house.press(who, hold);
    expect(reply, who).toMatchObject({ kind: 'card', to: 'caller' });
    expect((await house.log(hold.subject))[0], who).toMatchObject({
      kind: 'refusal',
      outcome: 'NOT_ALLOWED',
    });
    expect(await house.now(hold), who).toMatchObject({ state: 'pending' });
  }
  const reply = await house.press(allowed, hold);
  expect(reply).toMatchObject({ kind: 'card', to: 'pressed' });
  expect(await house.ended(hold)).toMatchObject({ state: 'done' });
  expect(house.members()).toEqual([1, 2, 3]);
}

async function escalate(hold: Hold): Promise<void> {
  await house.db.query(`update holds set escalates_at = clock_timestamp() where id = $1`, [hold.id]);
  await house.app.services.approvals.tend(AbortSignal.timeout(10_000));
}

describe('who decides', () => {
  it('is whoever a policy names by e-mail address, whatever its letters', async () => {
    const hold = await held({ approvers: ['BOB@House.Example'] });

    expect(hold.about.deciders).toEqual(['Bob']);
    expect(hold.places).toEqual(['local:approvals', 'local:@bob']);
    await expectOnly(hold, ['ann', 'ada', 'cid'], 'bob');
  });

  it('is whoever is in a group just now', async () => {
    house.groups.set('board', ['ann', 'bob', 'erin']);
    const hold = await held({ approvers: ['local:&board'] });
    house.groups.set('board', ['bob', 'cid', 'erin']);

    const outsider = await house.press('erin', hold);

    expect(outsider).toMatchObject({ to: 'caller' });
    await expectOnly(hold, ['ann', 'ada'], 'cid');
  });

  it('takes the vote of somebody who left the group since with them', async () => {
    house.groups.set('board', ['ann', 'bob', 'cid']);
    const hold = await held({ approvers: ['local:&board'], quorum: 2 });
    await house.press('ann', hold);
    house.groups.set('board', ['bob', 'cid']);

    await house.press('bob', hold);

    expect(await house.now(hold)).toMatchObject({ state: 'pending' });
    await expectOnly(hold, ['ann'], 'cid');
  });

  it('is nobody where a group has gone, until more are asked', async () => {
    house.groups.delete('gone');
    const hold = await held({ approvers: ['local:&gone'] });
    await escalate(hold);

    await expectOnly(hold, ['ann', 'bob'], 'ada');
  });

  it('is whoever a destination names, where the sync does not say so itself', async () => {
    const { services } = house.app;
    const ada = await house.by('ada');
    const [connector] = services.connectors;
    await services.destinations.connect('guarded', connector as never, {}, ada);
    await services.approvals.setApproversAt({ kind: 'destination', name: 'guarded' }, [emailOf('cid')], ada);
    const channel = { kind: 'conversation', platform: 'local', id: 'approvals' } as const;
    await services.approvals.setApproversAt({ kind: 'channel', target: channel }, [emailOf('bob')], ada);

    await expectOnly(await held({}, 'guarded'), ['ann', 'bob', 'ada'], 'cid');
    await expectOnly(await held(), ['ann', 'cid', 'ada'], 'bob');
    await expectOnly(
      await held({ approvers: [emailOf('ann')] }, 'guarded', 'cid'),
      ['bob', 'cid', 'ada'],
      'ann',
    );
    await services.approvals.setApproversAt({ kind: 'channel', target: channel }, [], ada);
    await expectOnly(await held(), [], 'ann');
  });

  it('is asked at the click: naming others meanwhile counts', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });
    await house.db.query(`update syncs set policy = policy || $2 where name = $1`, [
      hold.subject,
      JSON.stringify({ approvers: [emailOf('cid')] }),
    ]);

    await expectOnly(hold, ['bob', 'ann'], 'cid');
  });
});

describe('handing on', () => {
  it('lets somebody else decide as well, and asks them', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });
    await house.press('bob', hold, { command: 'delegate', input: { person: emailOf('ann') } });

    expect((await copiesOf(house.db, hold.id)).map(({ target }) => target)).toContain('local:@ann');
    expect((await house.log(hold.subject)).map(({ outcome }) => outcome)).toContain('handed on to Ann');
    await expectOnly(hold, ['cid'], 'ann');
  });

  it('is for those who may decide, to those who have the role', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });

    const notTheirs = await house.press('ann', hold, {
      command: 'delegate',
      input: { person: emailOf('ann') },
    });
    const noApprover = await house.press('bob', hold, {
      command: 'delegate',
      input: { person: emailOf('erin') },
    });

    expect(notTheirs).toMatchObject({ kind: 'card', to: 'caller' });
    expect(noApprover).toMatchObject({ kind: 'form' });
    expect((await house.log(hold.subject)).filter(({ kind }) => kind === 'refusal')).toHaveLength(2);
    await expectOnly(hold, ['ann'], 'bob');
  });

  it('ends with the role of whom it was handed to', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });
    await house.press('bob', hold, { command: 'delegate', input: { person: emailOf('ann') } });
    await house.setRole('ann', 'editor');

    const reply = await house.press('ann', hold);

    await house.setRole('ann', 'approver');
    expect(reply).toMatchObject({ kind: 'card', to: 'caller' });
    await expectOnly(hold, [], 'bob');
  });

  it('is for one hold alone', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });
    await house.press('bob', hold, { command: 'delegate', input: { person: emailOf('ann') } });
    await expectOnly(hold, [], 'ann');

    house.fill([1, 2, 3, 4]);
    const next = await house.hold(hold.subject);

    expect(await house.press('ann', next)).toMatchObject({ kind: 'card', to: 'caller' });
    expect(await house.now(next)).toMatchObject({ state: 'pending' });
  });
});

describe('without a decision', () => {
  it('admins are asked, who may decide from then on, and not before', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });
    expect(await house.press('ada', hold)).toMatchObject({ kind: 'card', to: 'caller' });

    await escalate(hold);

    expect((await copiesOf(house.db, hold.id)).map(({ target }) => target)).toContain('local:@ada');
    await expectOnly(hold, ['ann'], 'ada');
  });

  it('those are asked whom the policy names for that', async () => {
    const hold = await held({ approvers: [emailOf('bob')], escalateTo: [emailOf('cid')] });
    await escalate(hold);

    expect((await copiesOf(house.db, hold.id)).map(({ target }) => target)).toContain('local:@cid');
    await expectOnly(hold, ['ann', 'ada'], 'cid');
  });

  it('there is one reminder, and one escalation', async () => {
    const hold = await held({ approvers: [emailOf('bob')] });
    await escalate(hold);
    await house.db.query(
      `update holds set created_at = clock_timestamp() - interval '10 h', expires_at = clock_timestamp() + interval '1 h'
        where id = $1`,
      [hold.id],
    );

    for (let times = 0; times < 3; times += 1) {
      await house.app.services.approvals.tend(AbortSignal.timeout(10_000));
    }

    const counted = await house.db.query(
      `select kind, target, count(*) as count from deliveries where hold_id = $1 group by 1, 2 having count(*) > 1`,
      [hold.id],
    );
    expect(counted).toEqual([]);
    const reminders = await house.db.query(
      `select 1 from deliveries where hold_id = $1 and kind = 'hold reminder'`,
      [hold.id],
    );
    expect(reminders).toHaveLength(3);
    await expectOnly(hold, [], 'bob');
  });
});
