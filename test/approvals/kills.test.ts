import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { castVote, type Hold, holdById, settleHold } from '../../engine/store/holds.ts';
import { letRunGoOn, runById } from '../../engine/store/runs.ts';
import type { Sync } from '../../engine/store/syncs.ts';
import { membersOf } from './house.ts';
import { startYard, type Yard } from './yard.ts';

let yard: Yard;

beforeAll(async () => {
  yard = await startYard();
});

afterAll(() => yard.close());

beforeEach(() => yard.rig.reset());

const planned = [1, 2, 3, 4];
const meanwhile = [2, 7, 8];

/** Answers with what waits of a sync whose rows have changed since. */
async function heldAndMovedOn(sync: Sync, deadAfter?: number): Promise<{ hold: Hold; died: boolean }> {
  let died = false;
  const run = await yard.rig.run(sync, {
    ...(deadAfter === undefined ? {} : { dieAfter: deadAfter }),
    between: () => {
      died = true;
    },
  });
  expect(run.state).toBe('held');
  yard.fill(meanwhile);
  const hold = await yard.pending(sync);
  expect(hold).toBeDefined();
  return { hold: hold as Hold, died };
}

async function askingCards(sync: Sync): Promise<number> {
  const [row] = await yard.rig.db.query<{ count: number }>(
    `select count(*) as count from local_messages
      where conversation_id = 'approvals' and mark in (select d.id::text from deliveries d join holds h on h.id = d.hold_id
        where h.subject = $1 and d.kind = 'hold')`,
    [sync.name],
  );
  return row?.count ?? 0;
}

async function cardOf(sync: Sync): Promise<string> {
  const [row] = await yard.rig.db.query<{ card: string }>(
    `select card::text from local_messages
      where mark in (select d.id::text from deliveries d join holds h on h.id = d.hold_id
        where h.subject = $1 and d.kind = 'hold')`,
    [sync.name],
  );
  return row?.card ?? '';
}

describe('a worker that dies at any step', () => {
  it('of planning and asking leaves one hold, whose card is posted once by the next', async () => {
    const posted = { byTheDead: 0, byTheNext: 0 };
    let deaths = 0;
    for (let step = 1; step < 120; step += 4) {
      const sync = await yard.audience(planned);

      const { hold, died } = await heldAndMovedOn(sync, step);

      posted[(await askingCards(sync)) === 1 ? 'byTheDead' : 'byTheNext'] += 1;
      await yard.tend();
      await yard.tend();
      expect(await askingCards(sync), `step ${step}`).toBe(1);
      const holds = await yard.rig.db.query('select 1 from holds where subject = $1', [sync.name]);
      expect(holds, `step ${step}`).toHaveLength(1);
      expect(yard.rig.world.calls, `step ${step}`).toEqual([]);
      expect(await yard.decides('ann', hold, 'reject'), `step ${step}`).toBe(true);
      deaths += died ? 1 : 0;
    }
    expect(deaths).toBeGreaterThan(3);
    expect(posted.byTheDead).toBeGreaterThan(0);
    expect(posted.byTheNext).toBeGreaterThan(0);
  });

  it.each(['audience', 'mirror'] as const)(
    'of the delivery leaves the approved plan to be finished once, and nothing else: %s',
    async (kind) => {
      let deaths = 0;
      for (let step = 1, dies = true; dies; step += 3) {
        const { world } = yard.rig;
        world.limits = { rows: 2, concurrency: 2 };
        const sync = await yard[kind](planned);
        const { hold } = await heldAndMovedOn(sync);
        expect(await yard.decides('ann', hold)).toBe(true);
        dies = false;

        const run = await yard.rig.run(sync, {
          dieAfter: step,
          between: () => {
            dies = true;
          },
        });

        expect(run, `step ${step}`).toMatchObject({ id: hold.runId, state: 'done', counts: { failed: 0 } });
        const there = kind === 'audience' ? membersOf(world) : numbersOf(world.records.values());
        expect(there, `step ${step}`).toEqual(planned);
        const [outside] = world.calls
          .flatMap(({ keys }) => keys)
          .filter((key) => !planned.includes(Number(key)));
        expect(outside, `step ${step}`).toBeUndefined();
        await yard.tend();
        expect(await cardOf(sync), `step ${step}`).toContain('Outcome');
        deaths += dies ? 1 : 0;
        await yard.rig.reset();
      }
      expect(deaths).toBeGreaterThan(10);
    },
  );
});

describe('a process that dies right after the decision', () => {
  it('leaves the run to be carried out, and the cards to be drawn, by others', async () => {
    const sync = await yard.audience(planned);
    const { hold } = await heldAndMovedOn(sync);
    await yard.tend();
    expect(await cardOf(sync)).toContain('Approve this run');
    await yard.rig.db.transaction(async (sql) => {
      await castVote(sql, hold.id, { personId: 1, person: 'Ann', approves: true, reason: null });
      await settleHold(sql, hold.id, { state: 'approved', by: 'Ann', verdict: null });
      await letRunGoOn(sql, hold.runId ?? 0);
    });

    await yard.tend();

    expect(await cardOf(sync)).toContain('Approved by Ann');
    expect(await cardOf(sync)).not.toContain('"approve"');
    // Others take it up once it should have been under way for a while.
    await yard.rig.db.query(`update runs set created_at = now() - interval '1 minute' where id = $1`, [
      hold.runId,
    ]);
    const worker = await yard.app.startWorker();
    const run = await yard.app.services.runs.finished(hold.runId ?? 0, 20_000);
    await worker.stop();
    expect(run).toMatchObject({ state: 'done' });
    expect(membersOf(yard.rig.world)).toEqual(planned);
    await yard.tend();
    expect(await cardOf(sync)).toContain('Outcome');
  });

  it('leaves nothing to be done when it said no', async () => {
    const sync = await yard.audience(planned);
    const { hold } = await heldAndMovedOn(sync);
    await yard.tend();
    await yard.decides('bob', hold, 'reject');
    // As if it had died before it drew anything.
    await yard.rig.db.query('update holds set drawn = revision - 1 where id = $1', [hold.id]);

    await yard.tend();

    expect(await cardOf(sync)).toContain('Rejected by bob');
    expect(await runById(yard.rig.db, hold.runId ?? 0)).toMatchObject({ state: 'failed' });
    expect(yard.rig.world.calls).toEqual([]);
  });

  it('is not waited for by others: one hold that can not be drawn keeps none of them', async () => {
    const spoilt = await yard.audience(planned);
    const first = (await heldAndMovedOn(spoilt)).hold;
    const sync = await yard.audience(planned);
    const { hold } = await heldAndMovedOn(sync);
    // Its rows can't be shown any more.
    await yard.rig.db.query(`update plan_chunks set entries = '\\x0102' where run_id = $1`, [first.runId]);
    await yard.rig.db.query('update holds set revision = revision + 1 where id = any($1)', [
      [first.id, hold.id],
    ]);
    await yard.rig.db.query(`update holds set expires_at = clock_timestamp() where id = $1`, [hold.id]);

    await yard.tend();

    expect(await holdById(yard.rig.db, hold.id)).toMatchObject({ state: 'expired' });
    expect(await cardOf(sync)).toContain('Expired');
  });
});

function numbersOf(records: Iterable<Record<string, unknown>>): readonly number[] {
  return [...records].map(({ id }) => Number(id)).sort((a, b) => a - b);
}
