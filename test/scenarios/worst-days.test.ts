import { describe, expect, it, type TestContext } from 'vitest';
import type { FakeHttp } from '../fakes/http.ts';
import { type Inbox, startReceiver, toReceiver } from './receiver.ts';
import { type FarSide, type Play, Stage, sync } from './stage.ts';

/** What comes of several troubles at once, with a receiver of webhooks at the far side. */
interface Day {
  readonly stage: Stage;
  readonly fake: FakeHttp<Inbox>;
}

type Wanted = Pick<Play, 'framework' | 'wanted'>;

async function begin(
  { onTestFinished }: TestContext,
  { framework, wanted }: Wanted,
  settings: string,
  take: Parameters<typeof startReceiver>[0],
  there: FarSide['there'],
): Promise<Day> {
  const fake = await startReceiver(take);
  const refusal = { column: 'plan', bad: 'refuse me', reason: /Not this one/ } as const;
  const far: FarSide = { ...toReceiver(fake), settings, there, refusal };
  const stage = await Stage.set({ framework, wanted, word: '', changes: {} }, 'webhook', async () => far);
  onTestFinished(() => stage.close());
  return { stage, fake };
}

/** Answers so many requests more as it should, and then none until it is healed. */
function failAfter(fake: FakeHttp<Inbox>, requests: number): void {
  fake.next(...Array.from({ length: requests }, () => undefined));
  fake.always({ status: 503 });
}

/** The request by which a connection is tried. */
const trial = 1;

interface Sent {
  readonly n: number;
  readonly plan: string;
}

async function events(
  test: TestContext,
  lookBack: number,
  silentFirst = false,
): Promise<Day & { readonly sent: readonly Sent[] }> {
  const sent: Sent[] = [];
  const day = await begin(
    test,
    { framework: 'events', wanted: 'select id as n, plan from accounts' },
    `
event: '"signed up"'
time: at
person: { user_id: user_id }
properties: { n: id, plan: plan }
silent_first: ${silentFirst}
look_back_minutes: ${lookBack}
`,
    ({ data }) => {
      sent.push(data['properties'] as Sent);
      return {};
    },
    () => sent,
  );
  return { ...day, sent };
}

describe.concurrent('events', () => {
  it('go on where they were when the receiver goes away in the middle of a run and comes back', async (test) => {
    const { stage, fake } = await events(test, 60);
    await stage.add(60);
    failAfter(fake, trial + 20);
    await stage.apply();
    await stage.house.until(sync, ({ attempts, worker }) => attempts > 0 && worker === null);
    fake.heal();

    const run = await stage.house.ended(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0, done: { sent: 60 } } });
    expect(await stage.house.services.syncs.reasons(sync)).toEqual([]);
    await stage.isAsWanted();
  });

  it('that a failed run did not reach are sent by the next, however old they are', async (test) => {
    const { stage, fake, sent } = await events(test, 0);
    // Keys go up while times go down: the first that are sent are the newest.
    await stage.add(60);
    await stage.change(`update accounts set at = timestamptz '2026-11-20 08:00:00Z' - id * interval '1 day'`);
    failAfter(fake, trial + 20);
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

  it('that were refused are sent once they are well, though runs failed in between', async (test) => {
    const { stage, fake } = await events(test, 0);
    await stage.add(3);
    await stage.change(`update accounts set plan = 'refuse me' where id = 1`);
    await stage.apply();
    expect(await stage.house.ended(sync)).toMatchObject({ counts: { failed: 1, done: { sent: 2 } } });
    fake.always({ status: 401 });
    await stage.add(1);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'failed', error: { code: 'AUTH_REJECTED' } });
    fake.heal();
    await stage.change(`update accounts set plan = 'Normal' where id = 1`);

    const run = await stage.house.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0, done: { sent: 2 } } });
    await stage.isAsWanted();
  });

  it('after a silent first run are sent by the second, however late it comes', async (test) => {
    const { stage, sent } = await events(test, 0, true);
    await stage.add(3);
    await stage.apply();
    expect(await stage.house.ended(sync)).toMatchObject({ state: 'done', counts: { baseline: true } });
    await stage.add(2);
    await stage.change('update accounts set at = now() where id > 3');

    const run = await stage.house.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0, done: { sent: 2 } } });
    expect(sent.map(({ n }) => n).sort()).toEqual([4, 5]);
  });
});

async function records(test: TestContext): Promise<Day> {
  const kept = new Map<string, unknown>();
  const day = await begin(
    test,
    { framework: 'objects', wanted: 'select email, plan from accounts where not gone' },
    `
object: contacts
mode: mirror
match: [email]
fields: { email: email, plan: plan }
`,
    ({ type, data }) => {
      const values = data['values'] as { email: string };
      if (type === 'record.delete') {
        kept.delete(values.email);
      } else {
        kept.set(values.email, values);
      }
      return {};
    },
    () => [...kept.values()],
  );
  await day.stage.add(6);
  await day.stage.apply();
  await day.stage.house.ended(sync);
  return day;
}

describe.concurrent('records', () => {
  it('that moved, were refused, and went back to what they were, are there', async (test) => {
    const { stage } = await records(test);
    await stage.change(`update accounts set email = 'moved@acme.example', plan = 'refuse me' where id = 4`);
    expect(await stage.house.run(sync)).toMatchObject({ counts: { failed: 1 } });
    await stage.change(`update accounts set email = 'a4@acme.example', plan = 'Normal' where id = 4`);

    const run = await stage.house.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0 } });
    await stage.isAsWanted();
  });

  it('that moved while the receiver was away for good, and went back, are there', async (test) => {
    const { stage, fake } = await records(test);
    await stage.change(`update accounts set email = 'moved@acme.example' where id = 4`);
    failAfter(fake, 1);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'failed', error: { code: 'UNAVAILABLE' } });
    fake.heal();
    await stage.change(`update accounts set email = 'a4@acme.example' where id = 4`);

    const run = await stage.house.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0 } });
    await stage.isAsWanted();
  });

  it('that two rows exchanged are both there', async (test) => {
    const { stage } = await records(test);
    await stage.change(
      `update accounts set email = case id when 2 then 'a3@acme.example' else 'a2@acme.example' end where id in (2, 3)`,
    );

    const run = await stage.house.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0 } });
    await stage.isAsWanted();
  });
});

describe.concurrent('people', () => {
  it('whose new address was refused are on the list again when the old one comes back', async (test) => {
    const people = new Set<string>();
    const { stage } = await begin(
      test,
      { framework: 'audiences', wanted: 'select email from accounts where not gone' },
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

    const run = await stage.house.run(sync);

    expect(run).toMatchObject({ state: 'done', counts: { failed: 0 } });
    await stage.isAsWanted();
  });
});

describe.concurrent('files', () => {
  it('that are there already stay as they are, until a file says that they may be replaced', async (test) => {
    const files = new Map<string, string>();
    const { stage, fake } = await begin(
      test,
      { framework: 'files', wanted: 'select id from accounts' },
      `
content: full
path: accounts.csv
format: csv
columns: [id]
`,
      () => ({}),
      () =>
        (files.get('accounts.csv') ?? '')
          .trim()
          .split(/\s+/)
          .slice(1)
          .map((id) => ({ id: Number(id) })),
    );
    const look = (): void => {
      for (const [name, bytes] of fake.state.files) {
        files.set(name, bytes.toString());
      }
    };
    await stage.add(2);
    await stage.apply();
    await stage.house.ended(sync);
    look();
    await stage.isAsWanted();
    await stage.add(1);

    const refused = await stage.house.run(sync);
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'EXISTS' } });
    expect(fake.state.files.get('accounts.csv')?.toString()).toBe(files.get('accounts.csv'));

    const { documents } = stage.house.services;
    const [changed] = (await documents.apply(`${stage.yaml}    overwrite: true\n`, stage.house.by)).filter(
      ({ action }) => action === 'update',
    );
    expect(changed?.differences).toEqual([{ path: 'overwrite', before: false, after: true }]);
    expect(await stage.house.run(sync)).toMatchObject({ state: 'done' });
    look();
    await stage.isAsWanted();
  });
});
