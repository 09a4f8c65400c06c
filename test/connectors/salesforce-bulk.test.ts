import { describe, expect, it } from 'vitest';
import type { Value } from '../../engine/contracts/destination.ts';
import type { FakeSalesforce } from '../fakes/salesforce.ts';
import { failed } from '../fakes/salesforce-answers.ts';
import { tableOf } from '../fakes/salesforce-jobs.ts';
import { contactsOf, stageSalesforce } from '../fakes/salesforce-stage.ts';
import { call } from '../support/connect.ts';

const many = 2000;
const jobs = '/services/data/v66.0/jobs/ingest';

describe('salesforce: bulk jobs', () => {
  const start = stageSalesforce();

  function rowsOf(n: number, more: (i: number) => Readonly<Record<string, Value>> = () => ({})) {
    return Array.from({ length: n }, (_, i) => ({ Ext_Id__c: `k${i}`, LastName: `N${i}`, ...more(i) }));
  }

  const statesOf = (outcomes: readonly { readonly state: string }[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { state } of outcomes) {
      counts[state] = (counts[state] ?? 0) + 1;
    }
    return counts;
  };

  it('takes requests of 200 below 2,000 rows, and one job from there', async () => {
    const { fake, objects } = await start();

    const few = await objects.write(contactsOf('upsert', rowsOf(many - 1)), call());
    expect([fake.state.jobs.length, statesOf(few)]).toEqual([0, { ok: many - 1 }]);

    const enough = await objects.write(contactsOf('upsert', rowsOf(many)), call());
    expect([fake.state.jobs.length, statesOf(enough)]).toEqual([1, { ok: many }]);
    expect(fake.state.org.rows('Contact')).toHaveLength(many);
  });

  it('takes 10,000 rows at once, and destination and rows agree', async () => {
    const { fake, objects } = await start();
    const rows = rowsOf(10_000, (i) => ({ Score__c: i, Active__c: i % 2 === 0 }));

    const outcomes = await objects.write(contactsOf('upsert', rows), call());

    expect(objects.limits.rows).toBe(10_000);
    expect(statesOf(outcomes)).toEqual({ ok: 10_000 });
    expect(fake.state.org.rows('Contact')).toEqual(rows);
  });

  it('knows refused rows of a job that says it is complete, in whatever order they come back', async () => {
    const { fake, objects } = await start();
    const bad = new Map<number, Readonly<Record<string, Value>>>([
      [0, { Plan__c: 'Platinum' }],
      [7, { LastName: 'x'.repeat(81) }],
      [1999, { LastName: '' }],
    ]);
    fake.state.org.locked.add('k1234');

    const outcomes = await objects.write(
      contactsOf(
        'upsert',
        rowsOf(many, (i) => bad.get(i) ?? {}),
      ),
      call(),
    );

    expect(fake.state.jobs[0]?.state).toBe('JobComplete');
    expect(statesOf(outcomes)).toEqual({ ok: many - 4, rejected: 3, retry: 1 });
    expect(outcomes[0]).toMatchObject({ reason: 'Plan__c takes only the values of its picklist.' });
    expect(outcomes[7]).toMatchObject({
      reason: 'LastName takes less text than the row has.',
      field: 'LastName',
    });
    expect(outcomes[1234]).toMatchObject({ state: 'retry' });
    expect(outcomes[1999]).toMatchObject({ field: 'LastName' });
    for (const [i, { Ext_Id__c }] of rowsOf(many).entries()) {
      const outcome = outcomes[i];
      if (outcome?.state === 'ok') {
        expect(fake.state.org.kind('Contact').records.get(outcome.id ?? '')).toMatchObject({ Ext_Id__c });
      }
    }
  });

  it('writes a table in which sparse columns, nulls and odd texts arrive as they are', async () => {
    const { fake, objects } = await start();
    const odd = ['a,b', 'say "hi"', 'two\nlines', 'cr\r\nlf', ' spaces ', '=1+1', 'ünï', "it's"];
    for (const i of [0, 1, 2]) {
      fake.state.org.seed('Contact', {
        Ext_Id__c: `k${i}`,
        LastName: 'Before',
        FirstName: 'Own',
        Score__c: 5,
      });
    }
    const rows = rowsOf(many, (i) => {
      switch (i) {
        case 0:
          // The first row has fewer fields than those after it.
          return {};
        case 1:
          return { FirstName: null, Score__c: 7 };
        case 2:
          return { FirstName: '', Topics__c: ['red', 'blue'] };
        default:
          return { FirstName: odd[i % odd.length] ?? '' };
      }
    });

    await objects.write(contactsOf('upsert', rows), call());

    const stored = fake.state.org.rows('Contact');
    expect(stored.slice(0, 3)).toEqual([
      { Ext_Id__c: 'k0', LastName: 'N0', FirstName: 'Own', Score__c: 5 },
      { Ext_Id__c: 'k1', LastName: 'N1', Score__c: 7 },
      { Ext_Id__c: 'k2', LastName: 'N2', Score__c: 5, Topics__c: 'red;blue' },
    ]);
    expect(stored.slice(3)).toEqual(rows.slice(3));
    expect(Object.keys(tableOf(fake.state.jobs[0]?.csv ?? '')[0] ?? {}).toSorted()).toEqual(
      ['Ext_Id__c', 'FirstName', 'LastName', 'Score__c', 'Topics__c'].toSorted(),
    );
  });

  it('sends a text that reads #N/A record by record: a job would take it for nothing', async () => {
    const { fake, objects } = await start();

    await objects.write(
      contactsOf(
        'upsert',
        rowsOf(many, (i) => (i === 5 ? { FirstName: '#N/A' } : {})),
      ),
      call(),
    );

    expect(fake.state.jobs).toEqual([]);
    expect(fake.state.org.rows('Contact')[5]).toMatchObject({ FirstName: '#N/A' });
  });

  it('updates and deletes by an external id, by way of the Ids that are there', async () => {
    const { fake, objects } = await start();
    for (const row of rowsOf(many + 1)) {
      fake.state.org.seed('Contact', { ...row, LastName: 'Before' });
    }
    const rows = rowsOf(many + 2).map((row, i) => (i === many + 1 ? { ...row, Ext_Id__c: 'missing' } : row));

    const updated = await objects.write(contactsOf('update', rows), call());
    expect(statesOf(updated)).toEqual({ ok: many + 1, rejected: 1 });
    expect(fake.state.org.rows('Contact')).toEqual(rowsOf(many + 1));

    const gone = rows.slice(1).map(({ Ext_Id__c }) => ({ Ext_Id__c }));
    const deleted = await objects.write(contactsOf('delete', gone), call());
    expect(statesOf(deleted)).toEqual({ ok: many + 1 });
    expect(fake.state.org.rows('Contact')).toEqual(rowsOf(1));
    expect(fake.state.jobs.map(({ operation, csv }) => [operation, csv?.split('\n')[0]])).toEqual([
      ['update', 'Id,LastName'],
      ['delete', 'Id'],
    ]);
  });

  it('fills only what is empty', async () => {
    const { fake, objects } = await start();
    fake.state.org.seed('Contact', { Ext_Id__c: 'k0', LastName: 'Own' });
    fake.state.org.seed('Contact', { Ext_Id__c: 'k1', LastName: 'Own', FirstName: 'Own' });
    const rows = rowsOf(many + 1, () => ({ FirstName: 'Ours' }));

    const outcomes = await objects.write(contactsOf('upsert', rows, { onlyIfEmpty: ['FirstName'] }), call());

    expect(statesOf(outcomes)).toEqual({ ok: many + 1 });
    expect(fake.state.org.rows('Contact').slice(0, 3)).toEqual([
      { Ext_Id__c: 'k0', LastName: 'N0', FirstName: 'Ours' },
      { Ext_Id__c: 'k1', LastName: 'N1', FirstName: 'Own' },
      { Ext_Id__c: 'k2', LastName: 'N2', FirstName: 'Ours' },
    ]);
  });

  it('waits through the states of a job, and for a Salesforce that can not answer meanwhile', async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    fake.state.jobSteps = ['UploadComplete', 'InProgress', 'JobComplete'];
    const unavailable = failed(503, 'SERVER_UNAVAILABLE', 'Server unavailable');
    // Made, uploaded, looked at, begun; then the first looks fail, the tries of the client among them.
    fake.next(undefined, undefined, undefined, undefined, unavailable, unavailable, unavailable);

    const outcomes = await objects.write(contactsOf('insert', rowsOf(many)), call());

    expect(statesOf(outcomes)).toEqual({ ok: many });
    expect(fake.state.jobs).toHaveLength(1);
    expect(fake.requests.filter(({ method }) => method === 'DELETE')).toEqual([]);
  });

  it('lets a job go on when it is stopped, and goes on with that job after a restart', async () => {
    const { fake, objects, again } = await start();
    fake.state.jobSteps = ['InProgress'];
    const stopped = new AbortController();
    const rows = contactsOf('insert', rowsOf(many));
    const first = call({ signal: stopped.signal });

    const writing = objects.write(rows, first);
    await arrivalOf(fake, `GET ${jobs}/:id`, 2);
    stopped.abort(new Error('stopped'));
    await expect(writing).rejects.toThrow('stopped');

    expect(first.kept).toEqual([fake.state.jobs[0]?.id]);
    fake.state.jobSteps = ['JobComplete'];
    const [ticket] = first.kept;
    const outcomes = await (await again()).write(rows, call({ again: true, ticket }));

    expect(statesOf(outcomes)).toEqual({ ok: many });
    expect(fake.state.jobs).toHaveLength(1);
    expect(fake.state.org.rows('Contact')).toHaveLength(many);
  });

  it('goes on with a job though the share of calls is used up meanwhile', async () => {
    const { fake, objects } = await start();
    fake.state.jobSteps = ['InProgress'];
    const stopped = new AbortController();
    const first = call({ signal: stopped.signal });
    const writing = objects.write(contactsOf('insert', rowsOf(many)), first);
    await arrivalOf(fake, `GET ${jobs}/:id`, 2);
    stopped.abort(new Error('stopped'));
    await expect(writing).rejects.toThrow('stopped');
    fake.state.usage = { used: 90_000, limit: 100_000 };
    fake.state.jobSteps = ['JobComplete'];
    await objects.fields('Contact');

    const outcomes = await objects.write(
      contactsOf('insert', rowsOf(many)),
      call({ again: true, ticket: first.kept[0] }),
    );

    expect(statesOf(outcomes)).toEqual({ ok: many });
  });

  it('gives up a job whose upload nobody can vouch for, and begins another', async () => {
    const { fake, objects } = await start();
    const rows = contactsOf('insert', rowsOf(many));
    await objects.fields('Contact');
    fake.next(undefined, 'done-then-reset');
    const first = call();

    await expect(objects.write(rows, first)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const outcomes = await objects.write(rows, call({ again: true, ticket: first.kept[0] }));

    expect(statesOf(outcomes)).toEqual({ ok: many });
    expect(fake.state.jobs.map(({ state }) => state)).toEqual(['Aborted', 'JobComplete']);
    expect(fake.state.org.rows('Contact')).toHaveLength(many);
  });

  it('begins a job once when the answer to that is lost', async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    // Made, uploaded, looked at; then it is begun, and the answer breaks off.
    fake.next(undefined, undefined, undefined, 'done-then-reset');

    const outcomes = await objects.write(contactsOf('insert', rowsOf(many)), call());

    expect(statesOf(outcomes)).toEqual({ ok: many });
    expect(fake.state.org.rows('Contact')).toHaveLength(many);
  });

  it('starts anew when Salesforce has forgotten the job, without writing what is there twice', async () => {
    const { fake, objects } = await start();
    for (const row of rowsOf(500)) {
      fake.state.org.seed('Contact', row);
    }

    const outcomes = await objects.write(
      contactsOf('insert', rowsOf(many)),
      call({ again: true, ticket: '750000000000999AAA' }),
    );

    expect(statesOf(outcomes)).toEqual({ ok: many });
    expect(fake.state.org.rows('Contact')).toHaveLength(many);
  });

  it('keeps what a failed job wrote, and tries again what it never came to', async () => {
    const { fake, objects } = await start();
    fake.state.jobSteps = ['Failed'];
    fake.state.jobStopsAfter = 1500;
    fake.state.jobError = 'TooManyLockFailure : Too many lock failure';

    const outcomes = await objects.write(
      contactsOf(
        'upsert',
        rowsOf(many, (i) => (i === 3 ? { Plan__c: 'Platinum' } : {})),
      ),
      call(),
    );

    expect(statesOf(outcomes)).toEqual({ ok: 1499, rejected: 1, retry: 500 });
    expect(outcomes.slice(1500).every(({ state }) => state === 'retry')).toBe(true);
  });

  it('begins another job when one failed as a whole, for the very same rows', async () => {
    const { fake, objects } = await start();
    fake.state.jobSteps = ['Failed', 'JobComplete'];
    fake.state.jobStopsAfter = 0;
    const rows = contactsOf('upsert', rowsOf(many));
    const first = call();

    const failing = await objects.write(rows, first);
    const second = await objects.write(rows, call({ ticket: first.kept.at(-1) }));

    expect([statesOf(failing), statesOf(second)]).toEqual([{ retry: many }, { ok: many }]);
    expect(fake.state.jobs.map(({ state }) => state)).toEqual(['Failed', 'JobComplete']);
  });

  it('leaves the rest of a job that somebody aborted to the next run', async () => {
    const { fake, objects } = await start();
    fake.state.jobSteps = ['Aborted'];
    fake.state.jobStopsAfter = 100;

    const outcomes = await objects.write(contactsOf('upsert', rowsOf(many)), call());

    expect(statesOf(outcomes)).toEqual({ ok: 100, rejected: many - 100 });
    expect(outcomes[100]).toMatchObject({ reason: expect.stringContaining('aborted') });
  });

  it('ends the run when the job could not be read at all', async () => {
    const { fake, objects } = await start();
    fake.state.jobSteps = ['Failed'];
    fake.state.jobStopsAfter = 0;
    fake.state.jobError = 'InvalidBatch : Field name not found : Nope__c';

    const writing = objects.write(contactsOf('upsert', rowsOf(many)), call());

    await expect(writing).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringContaining('Field name not found'),
    });
  });

  it('does not take results that can not be read for none', async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    fake.next(undefined, undefined, undefined, undefined, undefined, {
      text: '"sf__Id","Ext_Id__c"\n"003","k',
      headers: { 'content-type': 'text/csv' },
    });

    await expect(objects.write(contactsOf('upsert', rowsOf(many)), call())).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });
  });

  it('sorts children by their parent, so that no two batches lock the same one', async () => {
    const { fake, objects } = await start();
    const rows = rowsOf(many, (i) => ({ AccountId: `00100000000000${i % 3}` }));

    await objects.write(contactsOf('upsert', rows), call());

    const parents = tableOf(fake.state.jobs[0]?.csv ?? '').map((row) => row['AccountId'] ?? '');
    expect(parents).toEqual(parents.toSorted());
  });
});

/** Resolves once so many requests of a route have come. */
async function arrivalOf(fake: FakeSalesforce, route: string, count: number): Promise<void> {
  while (fake.to(route).length < count) {
    await fake.arrival();
  }
}
