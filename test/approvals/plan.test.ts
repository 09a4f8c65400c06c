import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { strandedRuns } from '../../engine/schedule/due.ts';
import type { Hold } from '../../engine/store/holds.ts';
import { claimRuns } from '../../engine/store/runs.ts';
import { emailOf, type House, policyWith, startHouse, wordsOf } from './house.ts';

let house: House;
let made = 0;

beforeAll(async () => {
  house = await startHouse();
  const [connector] = house.app.services.connectors;
  await house.app.services.sources.connect('spare', connector as never, {}, await house.by('ada'));
});

afterAll(() => house.close());

/** A sync of its own, held with three people to add. */
async function held(): Promise<Hold> {
  made += 1;
  house.world.members.clear();
  house.fill([1, 2, 3]);
  return house.hold(await house.audience(`plan-${made}`));
}

/** Whoever clicked is told alone; it stands in the log as a refusal of theirs, and nothing was written. */
async function expectRefused(
  reply: Awaited<ReturnType<House['press']>>,
  hold: Hold,
  why: string,
): Promise<void> {
  expect(reply).toMatchObject({ kind: 'card', to: 'caller' });
  expect(wordsOf(reply)).toContain(why);
  expect((await house.log(hold.subject))[0]).toMatchObject({
    kind: 'refusal',
    command: 'approve',
    person: 'Ann',
    outcome: 'OUTDATED',
  });
  expect(house.members()).toEqual([]);
  expect(await house.ended(hold)).toMatchObject({ state: 'failed', error: { code: 'NOT_APPROVED' } });
}

describe('a run with nothing to write', () => {
  it('is never held', async () => {
    const hold = await held();
    await house.press('ann', hold);
    await house.ended(hold);

    expect(await house.run(hold.subject)).toMatchObject({ state: 'done', held: false });
  });
});

describe('a run that waits', () => {
  it('is taken by no worker, and not by the clock', async () => {
    const hold = await held();
    const ids = [hold.runId ?? 0];
    const later = new Date(Date.now() + 86_400_000);

    expect(await claimRuns(house.db, ids, 'f3b5d0c8-0000-4000-8000-000000000000', later, 1000)).toEqual([]);
    expect(await strandedRuns(house.db, later, 1000)).toEqual([]);
    expect(house.members()).toEqual([]);
  });
});

describe('what is approved', () => {
  it('is delivered exactly, though the warehouse has moved on', async () => {
    const hold = await held();
    house.fill([2, 3, 4, 5, 6, 7]);

    const reply = await house.press('ann', hold);

    expect(reply).toMatchObject({ kind: 'card', to: 'pressed' });
    expect(await house.ended(hold)).toMatchObject({
      state: 'done',
      counts: { done: { 'added to the list': 3 } },
    });
    expect(house.members()).toEqual([1, 2, 3]);
    expect((await house.log(hold.subject)).map(({ kind, outcome }) => [kind, outcome])).toEqual(
      expect.arrayContaining([
        ['decision', 'approved'],
        ['command', 'ok'],
      ]),
    );
    const next = await house.hold(hold.subject);
    expect(next.about.totals).toMatchObject({ before: 3, added: 4, removed: 1 });
  });

  it('is delivered though the policy, the schedule or the place of reports was changed', async () => {
    const hold = await held();
    await house.db.query(`update syncs set cron = '0 6 * * *', report_to = 'local:other' where name = $1`, [
      hold.subject,
    ]);
    await house.app.services.approvals.setPolicy(
      hold.subject,
      policyWith({ ask: 'always', removes: '1' }),
      await house.by('ada'),
    );

    await house.press('ann', hold);

    expect(await house.ended(hold)).toMatchObject({ state: 'done' });
    expect(house.members()).toEqual([1, 2, 3]);
  });
});

/** Each changes what the run would do, given the sync's name and its run. */
const behindTheBack: Readonly<Record<string, readonly [string, string]>> = {
  query: [
    'its query was changed',
    `update models set sql = 'select id, email from others' where name = $1 and $2::bigint > 0`,
  ],
  key: ['its query was changed', `update models set key = '{email}' where name = $1 and $2::bigint > 0`],
  mapping: [
    'its settings were changed',
    `update syncs set settings = jsonb_set(settings, '{identifiers}', '{"ID": "id"}') where name = $1 and $2::bigint > 0`,
  ],
  list: [
    'its settings were changed',
    `update syncs set settings = jsonb_set(settings, '{list}', '"other"') where name = $1 and $2::bigint > 0`,
  ],
  'other destination': [
    'its settings were changed',
    `with other as (insert into destinations (name, connector, config, secrets)
       select 'other of ' || $1, connector, config, secrets from destinations where name = 'far-side' returning id)
     update syncs set destination_id = (select id from other) where name = $1 and $2::bigint > 0`,
  ],
  'destination itself': [
    'its destination was connected anew',
    `update destinations set config = config || jsonb_build_object('was', $1::text) where name = 'far-side' and $2::bigint > 0`,
  ],
  'secrets of the source': [
    'its warehouse was connected anew',
    `update sources s set secrets = o.secrets from sources o where o.id <> s.id and $1 <> '' and $2::bigint > 0`,
  ],
  'stored plan': [
    'the stored plan is not the one that was shown',
    `update plan_chunks set entries = set_byte(entries, length(entries) - 1, 255 - get_byte(entries, length(entries) - 1))
      where run_id = $2 and $1 <> ''`,
  ],
  'stored plan, cut short': [
    'the stored plan is not the one that was shown',
    `delete from plan_chunks where run_id = $2 and $1 <> ''`,
  ],
  'stored plan, and what it was compared with': [
    'the stored plan is not the one that was shown',
    `with plan as (update plan_chunks set entries = '' where run_id = $2 returning 1)
     update holds set basis = basis || jsonb_build_object('plan', encode(sha256('\\x0a3020300a'), 'hex'))
      where run_id = $2 and subject = $1`,
  ],
};

const spoilt = Object.entries(behindTheBack).map(([what, [why, sql]]) => [what, why, sql] as const);

describe('what has changed behind the back since', () => {
  it.each(spoilt)('between card and click is refused: the %s (%s)', async (_what, why, sql) => {
    const hold = await held();
    await house.db.query(sql, [hold.subject, hold.runId]);

    const reply = await house.press('ann', hold);

    await expectRefused(reply, hold, why);
    expect(wordsOf(reply)).toContain('anew');
    expect(await house.now(hold)).toMatchObject({ state: 'outdated', decidedBy: null });
  });

  it.each(spoilt)('between click and delivery stops the run: the %s (%s)', async (_what, why, sql) => {
    const hold = await held();
    await house.stopWorker();
    await house.press('ann', hold);
    await house.db.query(sql, [hold.subject, hold.runId]);

    await house.startWorker();

    const run = await house.ended(hold);
    expect(run).toMatchObject({ state: 'failed', error: { code: 'NOT_APPROVED' } });
    expect(run.error?.message).toContain(why);
    expect(house.members()).toEqual([]);
    expect(await house.log(hold.subject)).toContainEqual(
      expect.objectContaining({ kind: 'run', outcome: 'NOT_APPROVED' }),
    );
  });
});

describe('what was changed through the verbs since', () => {
  it('is refused, and a new plan is offered', async () => {
    const hold = await held();
    const { services } = house.app;
    const { sync, model, source, destination } = await wholeOf(hold.subject);
    await services.syncs.update(
      hold.subject,
      {
        name: hold.subject,
        framework: 'audiences',
        source,
        destination,
        sql: 'select id, email from others',
        key: model.key,
        settings: sync.settings,
        schedule: sync,
        startsNow: false,
      },
      await house.by('ada'),
    );

    expect(await house.now(hold)).toMatchObject({
      state: 'outdated',
      verdict: 'Its query was changed by Ada.',
    });
    await expectRefused(await house.press('ann', hold), hold, 'It was decided already: outdated');
    await house.says('erin', `run ${hold.subject} anew=true`);
    const next = await house.app.services.runs.finished(
      (await services.runs.recent(hold.subject, 1))[0]?.id ?? 0,
      20_000,
    );
    expect(next).toMatchObject({ state: 'held' });
  });

  it('of its destination, too', async () => {
    const hold = await held();
    const [connector] = house.app.services.connectors;
    await house.app.services.destinations.connect('far-side', connector as never, {}, await house.by('ada'));

    await expectRefused(await house.press('ann', hold), hold, 'It was decided already: outdated');
  });
});

describe('a plan that a newer one replaced', () => {
  it('can not be approved any more', async () => {
    const old = await held();
    house.fill([1, 2, 3, 4]);
    await house.says('erin', `run ${old.subject} anew=true`);

    const reply = await house.press('ann', old);

    expect(wordsOf(reply)).toContain('It was decided already: superseded by Erin');
    expect(house.members()).toEqual([]);
  });

  it('is not made room for by a run as usual, a retry or a resync', async () => {
    const hold = await held();

    for (const line of ['run', 'retry', 'resync']) {
      const how = line === 'resync' ? ' how=everything' : '';
      expect(wordsOf(await house.says('erin', `${line} ${hold.subject}${how}`))).toContain(
        'waits for approval',
      );
    }
    expect(await house.now(hold)).toMatchObject({ state: 'pending' });
  });
});

describe('a first run that was stopped before its first write', () => {
  it('leaves the next one the first', async () => {
    made += 1;
    const policy = policyWith({ ask: 'unusual', firstRun: true, adds: '50 %', approvers: [emailOf('ann')] });
    house.fill([1, 2, 3]);
    const hold = await house.hold(await house.audience(`plan-${made}`, { policy }));
    await house.stopWorker();
    await house.press('ann', hold);
    await house.db.query(`delete from plan_chunks where run_id = $1`, [hold.runId]);
    await house.startWorker();
    expect(await house.ended(hold)).toMatchObject({ error: { code: 'NOT_APPROVED' } });

    house.fill([4, 5, 6, 7]);
    const next = await house.hold(hold.subject);

    expect(next.about.reasons).toEqual(['It is the first run that would write anything.']);
    await house.press('ann', next);
    await house.ended(next);
    house.fill([4, 5, 6, 7, 8]);
    expect(await house.run(hold.subject)).toMatchObject({ state: 'done', held: false });
  });
});

async function wholeOf(name: string) {
  const detail = await house.app.services.syncs.show(name);
  const { sync, model, source } = detail;
  return { sync, model, source: source.name, destination: 'far-side' };
}
