import { afterEach, describe, expect, it } from 'vitest';
import type { FakeHttp } from '../fakes/http.ts';
import { type Inbox, startReceiver, toReceiver } from './receiver.ts';
import { type FarSide, type Play, Stage, sync } from './stage.ts';

/** What comes of several troubles at once, with a receiver of webhooks at the far side. */

let stage: Stage;
let fake: FakeHttp<Inbox>;

afterEach(() => stage.close());

async function set(
  play: Play,
  settings: string,
  take: Parameters<typeof startReceiver>[0],
  there: FarSide['there'],
): Promise<void> {
  fake = await startReceiver(take);
  const far: FarSide = {
    ...toReceiver(fake),
    settings,
    there,
    refusal: { column: 'plan', bad: 'refuse me', reason: /Not this one/ },
  };
  stage = await Stage.set(play, 'webhook', async () => far);
}

/** Answers so many requests more as it should, and then none until it is healed. */
function failAfter(requests: number): void {
  fake.next(...Array.from({ length: requests }, () => undefined));
  fake.always({ status: 503 });
}

/** Events as they came. */
const sent: { n: number; plan: string }[] = [];
const setEvents = async (lookBack: number, silent = false): Promise<void> => {
  sent.length = 0;
  await set(
    { framework: 'events', word: 'sent', changes: {}, wanted: 'select id as n, plan from accounts' },
    `
event: '"signed up"'
time: at
person: { user_id: user_id }
properties: { n: id, plan: plan }
silent_first: ${silent}
look_back_minutes: ${lookBack}
`,
    ({ data }) => {
      sent.push(data['properties'] as (typeof sent)[number]);
      return {};
    },
    () => sent,
  );
};

describe('events', () => {
  it('go on where they were when the receiver goes away in the middle of a run and comes back', async () => {
    await setEvents(60);
    await stage.add(60);
    failAfter(1 + 20);
    await stage.apply();
    await stage.house.until(sync, ({ attempts, worker }) => attempts > 0 && worker === null);
    fake.heal();

    const run = await stage.house.ended(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0, done: { sent: 60 } } });
    expect(await stage.house.services.syncs.reasons(sync)).toEqual([]);
    await stage.isAsWanted();
  });

  it('that were not reached before a run failed for good are sent by the next, however old they are', async () => {
    await setEvents(0);
    // Keys go up while times go down: the first that are sent are the newest.
    await stage.add(60);
    await stage.change(`update accounts set at = timestamptz '2026-11-20 08:00:00Z' - id * interval '1 day'`);
    failAfter(1 + 20);
    await stage.apply();

    const failed = await stage.house.ended(sync);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'UNAVAILABLE' } });
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.length).toBeLessThan(60);
    expect(await stage.house.services.syncs.reasons(sync)).toEqual([]);
    fake.heal();
    const next = await stage.house.run(sync);

    expect(next).toMatchObject({ state: 'done', counts: { failed: 0 } });
    await stage.isAsWanted();
  });

  it('that were refused are sent once they are well, though runs failed in between', async () => {
    await setEvents(0);
    await stage.add(3);
    await stage.change(`update accounts set plan = 'refuse me' where id = 1`);
    await stage.apply();
    expect(await stage.house.ended(sync)).toMatchObject({ counts: { failed: 1, done: { sent: 2 } } });

    fake.always({ status: 401 });
    await stage.add(1);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'failed', error: { code: 'AUTH_REJECTED' } });
    fake.heal();
    await stage.change(`update accounts set plan = 'Normal' where id = 1`);

    expect(await stage.house.run(sync)).toMatchObject({
      state: 'done',
      counts: { failed: 0, done: { sent: 2 } },
    });
    await stage.isAsWanted();
  });
});

describe('events after a silent first run', () => {
  it('are sent by the second, however long after them it comes', async () => {
    await setEvents(0, true);
    await stage.add(3);
    await stage.apply();
    expect(await stage.house.ended(sync)).toMatchObject({ state: 'done', counts: { baseline: true } });
    await stage.add(2);
    await stage.change('update accounts set at = now() where id > 3');

    expect(await stage.house.run(sync)).toMatchObject({
      state: 'done',
      counts: { failed: 0, done: { sent: 2 } },
    });

    expect(sent.map(({ n }) => n).sort()).toEqual([4, 5]);
  });
});

describe('records', () => {
  const kept = new Map<string, { email: string; plan: string }>();
  const setRecords = async (): Promise<void> => {
    kept.clear();
    await set(
      {
        framework: 'objects',
        word: 'written',
        changes: {},
        wanted: 'select email, plan from accounts where not gone',
      },
      `
object: contacts
mode: mirror
match: [email]
fields: { email: email, plan: plan }
`,
      ({ type, data }) => {
        const values = data['values'] as { email: string; plan: string };
        if (type === 'record.delete') {
          kept.delete(values.email);
        } else {
          kept.set(values.email, values);
        }
        return {};
      },
      () => [...kept.values()],
    );
    await stage.add(6);
    await stage.apply();
    await stage.house.ended(sync);
  };

  it('that moved, were refused, and went back to what they were, are there', async () => {
    await setRecords();
    await stage.change(`update accounts set email = 'moved@acme.example', plan = 'refuse me' where id = 4`);
    expect(await stage.house.run(sync)).toMatchObject({ counts: { failed: 1 } });

    await stage.change(`update accounts set email = 'a4@acme.example', plan = 'Normal' where id = 4`);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'done', counts: { failed: 0 } });

    await stage.isAsWanted();
  });

  it('that moved while the receiver was away for good, and went back, are there', async () => {
    await setRecords();
    await stage.change(`update accounts set email = 'moved@acme.example' where id = 4`);
    failAfter(1);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'failed', error: { code: 'UNAVAILABLE' } });
    fake.heal();

    await stage.change(`update accounts set email = 'a4@acme.example' where id = 4`);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'done', counts: { failed: 0 } });

    await stage.isAsWanted();
  });

  it('that two rows exchanged are both there', async () => {
    await setRecords();
    await stage.change(
      `update accounts set email = case id when 2 then 'a3@acme.example' else 'a2@acme.example' end where id in (2, 3)`,
    );

    expect(await stage.house.run(sync)).toMatchObject({ state: 'done', counts: { failed: 0 } });

    await stage.isAsWanted();
  });
});

describe('people', () => {
  it('whose new address was refused are on the list again when the old one comes back', async () => {
    const people = new Set<string>();
    await set(
      {
        framework: 'audiences',
        word: 'added to the list',
        changes: {},
        wanted: 'select email from accounts where not gone',
      },
      `
list: buyers
list_name: Buyers
identifiers: { email: email }
`,
      ({ type, data }) => {
        const { email } = data['identifiers'] as { readonly email: string };
        people[type === 'audience.add' ? 'add' : 'delete'](email);
        return {};
      },
      () => [...people].map((email) => ({ email })),
    );
    await stage.add(6);
    await stage.apply();
    await stage.house.ended(sync);
    await stage.change(`update accounts set email = 'refuse-me@acme.example' where id = 4`);
    expect(await stage.house.run(sync)).toMatchObject({ counts: { failed: 1 } });

    await stage.change(`update accounts set email = 'a4@acme.example' where id = 4`);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'done', counts: { failed: 0 } });

    await stage.isAsWanted();
  });
});
