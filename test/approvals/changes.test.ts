import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { App } from '../../engine/boot.ts';
import { asActivateError } from '../../engine/contracts/errors.ts';
import type { ApprovalPolicy } from '../../engine/model/policy.ts';
import type { SyncDraft } from '../../engine/services.ts';
import { castVote, copiesOf, type Hold, pendingHolds, settleHold } from '../../engine/store/holds.ts';
import { draftOf, emailOf, type House, policyWith, startHouse, until, wordsOf } from './house.ts';

let house: House;
let name: string;
let draft: SyncDraft;
let made = 0;

beforeAll(async () => {
  house = await startHouse({ worker: false });
});

afterAll(() => house.close());

beforeEach(async () => {
  made += 1;
  name = `change-${made}`;
  await guard({});
});

/** The sync of this test. */
async function guard(policy: Partial<ApprovalPolicy>): Promise<void> {
  draft = { ...draftOf(name), policy: policyWith({ ask: 'always', ...policy }) };
  await house.audience(name, draft);
}

const wanted = 'select id, email from others';

/** What an editor asks for: another query. */
async function asked(change: Partial<SyncDraft> = { sql: wanted }): Promise<Hold> {
  const { syncs } = house.app.services;
  const work = syncs.update(name, { ...draft, ...change }, await house.by('erin'));
  expect(await work.catch((thrown: unknown) => asActivateError(thrown).code)).toBe('AWAITS_APPROVAL');
  const holds = await pendingHolds(house.db, name);
  const newest = holds.reduce((a, b) => (a.createdAt > b.createdAt ? a : b));
  expect(await sqlNow()).toBe(draft.sql);
  return newest;
}

async function sqlNow(): Promise<string> {
  return (await house.app.services.syncs.show(name)).model.sql;
}

async function tend(app: App = house.app): Promise<void> {
  await app.services.approvals.tend(AbortSignal.timeout(10_000));
}

/** The decision stands; whoever made it died before making the change, so many seconds ago. */
async function approvedAndDied(hold: Hold, secondsAgo: number): Promise<void> {
  const ann = await house.by('ann');
  await house.db.transaction(async (sql) => {
    await castVote(sql, hold.id, { personId: Number(ann.id), person: 'Ann', approves: true, reason: null });
    await settleHold(sql, hold.id, { state: 'approved', by: 'Ann', verdict: null });
  });
  await diedAgo(hold, secondsAgo);
}

async function diedAgo(hold: Hold, seconds: number): Promise<void> {
  await house.db.query(
    `update holds set decided_at = clock_timestamp() - $2 * interval '1 second' where id = $1`,
    [hold.id, seconds],
  );
}

async function timesMade(): Promise<number> {
  return (await house.log(name)).filter(
    ({ kind, outcome }) => kind === 'change' && outcome.startsWith('made, approved by'),
  ).length;
}

describe('a change of a protected sync', () => {
  it('is asked for on a card that says what changes, and made once somebody agrees', async () => {
    const hold = await asked();
    expect(hold).toMatchObject({
      kind: 'change',
      requester: 'Erin',
      about: { differences: [{ path: 'query', before: 'select id, email from people', after: wanted }] },
    });
    expect(hold.change).not.toContain('others');
    expect(await copiesOf(house.db, hold.id)).toHaveLength(1);

    const reply = await house.press('ann', hold);

    expect(reply).toMatchObject({ kind: 'card', to: 'pressed' });
    expect(wordsOf(reply)).toContain('It is in force');
    expect(await sqlNow()).toBe(wanted);
    const log = await house.log(name);
    expect(log.find(({ kind }) => kind === 'change')).toMatchObject({
      person: 'Erin',
      outcome: 'made, approved by Ann',
      before: { query: 'select id, email from people' },
      after: { query: wanted },
    });
  });

  it('is not made when somebody says no', async () => {
    const hold = await asked();

    await house.press('ann', hold, { command: 'reject', input: { reason: 'Leave it.' } });
    await diedAgo(hold, 60);
    await tend();

    expect(await house.now(hold)).toMatchObject({
      state: 'rejected',
      verdict: 'Leave it.',
      performedAt: null,
    });
    expect(await sqlNow()).toBe(draft.sql);
  });

  it('is not made by whoever asks, nor twice', async () => {
    const hold = await asked();
    await house.press('erin', hold);
    expect(await sqlNow()).toBe(draft.sql);
    await house.press('ann', hold);

    const again = await house.press('bob', hold);

    expect(wordsOf(again)).toContain('decided already: approved by Ann');
    expect(await timesMade()).toBe(1);
  });

  it('takes as many as its runs do', async () => {
    await house.db.query(`update syncs set policy = policy || '{"quorum": 2}' where name = $1`, [name]);
    const hold = await asked();
    await house.press('ann', hold);
    await house.press('ann', hold);
    expect(await sqlNow()).toBe(draft.sql);

    await house.press('bob', hold);

    expect(await sqlNow()).toBe(wanted);
  });

  it('ends what waits of its runs', async () => {
    house.fill([1]);
    await house.startWorker();
    const run = await house.hold(name);
    await house.stopWorker();
    const hold = await asked();

    await house.press('ann', hold);

    expect(await house.now(run)).toMatchObject({
      state: 'outdated',
      verdict: 'Its query was changed by Erin.',
    });
  });
});

describe('whoever may decide alone', () => {
  it('is not asked', async () => {
    await house.app.services.syncs.update(name, { ...draft, sql: wanted }, await house.by('ann'));

    expect(await sqlNow()).toBe(wanted);
    expect(await pendingHolds(house.db, name)).toEqual([]);
    expect((await house.log(name))[0]).toMatchObject({ kind: 'change', outcome: 'made and approved by Ann' });
  });

  it.each([
    ['two have to agree', { quorum: 2 }],
    ['others have to', { others: true }],
    ['others are named', { approvers: [emailOf('bob')] }],
  ] as const)('is nobody where %s', async (_when, policy) => {
    await house.db.query('update syncs set policy = policy || $2 where name = $1', [
      name,
      JSON.stringify(policy),
    ]);
    const { syncs } = house.app.services;

    const work = syncs.update(name, { ...draft, sql: wanted }, await house.by('ann'));

    await expect(work).rejects.toMatchObject({ code: 'AWAITS_APPROVAL' });
    expect(await sqlNow()).toBe(draft.sql);
  });
});

describe('an approved change', () => {
  it('is made by another process when the one that approved it died, after a while', async () => {
    const hold = await asked();
    await approvedAndDied(hold, 10);
    await tend();
    expect(await sqlNow()).toBe(draft.sql);

    await diedAgo(hold, 31);
    await tend();

    expect(await sqlNow()).toBe(wanted);
    expect(await house.now(hold)).toMatchObject({ state: 'approved', verdict: null });
    await tend();
    expect(await timesMade()).toBe(1);
  });

  it('is made once by processes that try at the same time', async () => {
    const hold = await asked();
    const { app } = await house.open();
    const begun = await house.db.transaction(async (sql) => {
      // What makes the change waits for this, and what decides does not.
      await sql.query('select 1 from models where name = $1 for update', [name]);
      const pressed = house.press('ann', hold);
      await waiting(1);
      // It is so slow that it is taken for dead.
      await diedAgo(hold, 31);
      const tended = tend(app);
      await waiting(2);
      return [pressed, tended];
    });
    await Promise.all(begun);

    expect(await sqlNow()).toBe(wanted);
    expect(await timesMade()).toBe(1);
    expect(await house.now(hold)).toMatchObject({ state: 'approved', verdict: null });
  });

  it.each([
    ['changed', 'What it would change was changed meanwhile', () => ({ ...draft, schedule: daily })],
    ['deleted', 'What it would change was', undefined],
  ] as const)('is not made over what was %s meanwhile', async (_what, why, otherwise) => {
    const hold = await asked();
    await approvedAndDied(hold, 31);
    const ada = await house.by('ada');
    const { syncs } = house.app.services;
    await (otherwise === undefined ? syncs.remove(name, ada) : syncs.update(name, otherwise(), ada));

    await tend();

    expect((await house.now(hold)).verdict).toContain(why);
    expect(await timesMade()).toBe(0);
    expect((await house.log(name)).map(({ outcome }) => outcome)).toContain('not made');
    await tend();
    expect((await syncs.list()).some((one) => one.sync.name === name && one.model.sql === wanted)).toBe(
      false,
    );
  });

  it('to delete deletes nothing that was made anew since', async () => {
    const { syncs } = house.app.services;
    await expect(syncs.remove(name, await house.by('erin'))).rejects.toMatchObject({
      code: 'AWAITS_APPROVAL',
    });
    const [hold] = await pendingHolds(house.db, name);
    await house.press('ann', hold as Hold);
    expect((await syncs.list()).map(({ sync }) => sync.name)).not.toContain(name);
    await house.audience(name, draft);

    await diedAgo(hold as Hold, 60);
    await tend();

    expect(await sqlNow()).toBe(draft.sql);
  });
});

describe('a change whose ground has moved', () => {
  it.each([
    ['its settings', `update syncs set settings = jsonb_set(settings, '{list}', '"x"') where name = $1`],
    ['its policy', `update syncs set policy = policy || '{"quorum": 1, "adds": "any"}' where name = $1`],
    ['its query', `update models set sql = 'select 1 as id, null as email' where name = $1`],
  ])('is refused: %s', async (_what, sql) => {
    const hold = await asked();
    await house.db.query(sql, [name]);

    const reply = await house.press('ann', hold);

    expect(reply).toMatchObject({ kind: 'card', to: 'caller' });
    expect(wordsOf(reply)).toContain('what it would change was changed meanwhile');
    expect(await house.now(hold)).toMatchObject({ state: 'outdated' });
    expect((await house.log(name))[0]).toMatchObject({ kind: 'refusal', outcome: 'OUTDATED' });
    expect(await timesMade()).toBe(0);
  });

  it('is refused when its own text was exchanged', async () => {
    const harmless = await asked({ schedule: daily });
    const other = await asked();
    await house.db.query('update holds set change = (select change from holds where id = $2) where id = $1', [
      harmless.id,
      other.id,
    ]);

    const reply = await house.press('ann', harmless);

    expect(wordsOf(reply)).toContain('the stored change is not the one that was shown');
    expect(await sqlNow()).toBe(draft.sql);
  });

  it('is refused when another that was asked for as well was made first', async () => {
    const first = await asked({ schedule: daily });
    const second = await asked();
    await house.press('ann', first);

    await house.press('ann', second);

    expect(await house.now(second)).toMatchObject({ state: 'outdated' });
    expect(await sqlNow()).toBe(draft.sql);
  });

  it('is refused when its time is over', async () => {
    const hold = await asked();
    await house.db.query('update holds set expires_at = clock_timestamp() where id = $1', [hold.id]);

    await house.press('ann', hold);

    expect(await house.now(hold)).toMatchObject({ state: 'expired' });
    expect(await sqlNow()).toBe(draft.sql);
  });
});

describe('a change that concerns several syncs', () => {
  it('is decided by those of all of them, also when one is gone', async () => {
    const own = { destination: 'shared' };
    const [connector] = house.app.services.connectors;
    await house.app.services.destinations.connect('shared', connector as never, {}, await house.by('ada'));
    await house.audience(`${name}-ann`, {
      ...own,
      policy: policyWith({ ask: 'always', approvers: [emailOf('ann')] }),
    });
    await house.audience(`${name}-bob`, {
      ...own,
      policy: policyWith({ ask: 'always', approvers: [emailOf('bob')] }),
    });
    const work = house.app.services.destinations.connect(
      'shared',
      connector as never,
      {},
      await house.by('erin'),
    );
    await expect(work).rejects.toMatchObject({ code: 'AWAITS_APPROVAL' });
    const [hold] = (await pendingHolds(house.db, 'shared')) as [Hold];
    for (const who of ['ann', 'bob', 'cid', 'ada'] as const) {
      expect(await house.press(who, hold), who).toMatchObject({ kind: 'card', to: 'caller' });
    }

    await house.app.services.syncs.remove(`${name}-ann`, await house.by('ann'));

    for (const who of ['ann', 'cid'] as const) {
      expect(await house.press(who, hold), who).toMatchObject({ kind: 'card', to: 'caller' });
    }
    expect(await house.press('bob', hold)).toMatchObject({ kind: 'card', to: 'pressed' });
  });
});

const daily = { cron: '0 6 * * *', timeZone: 'UTC' };

/** Until so many wait for a lock. */
async function waiting(count: number): Promise<void> {
  await until(`${count} wait`, async () => {
    const [row] = await house.db.query<{ waiting: number }>(
      `select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return (row?.waiting ?? 0) >= count;
  });
}
