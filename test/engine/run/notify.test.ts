import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from '../../support/app.ts';

describe('alerts, from a row in the warehouse to a message', () => {
  let t: TestApp;
  let made = 0;
  beforeAll(async () => {
    t = await startApp();
  });
  afterAll(() => t.close());
  beforeEach(async () => {
    await t.warehouse.query('drop table if exists accounts');
    await t.warehouse.query('create table accounts (id bigint, name text, seats bigint, email text)');
    await t.warehouse.query("insert into accounts values (1, 'Acme', 3, 'mia@northwind.example')");
    await t.db.query('delete from local_messages');
    await t.db.query('delete from syncs');
  });
  const name = (): string => {
    made += 1;
    return `alert-${made}`;
  };
  const add = (id: number, who: string, seats: number, email = 'mia@northwind.example'): Promise<unknown> =>
    t.warehouse.query('insert into accounts values ($1, $2, $3, $4)', [id, who, seats, email]);

  it('says nothing of what is there at first, and each new row once', async () => {
    const alert = await t.alert({ name: name() });
    expect(await t.said('sales-pql')).toEqual([]);

    await add(2, 'Blue', 9);
    const run = await t.run(alert);
    await t.run(alert);

    expect(run.counts).toMatchObject({ rows: 2, added: 1, messages: 1, failed: 0 });
    const said = await t.said('sales-pql');
    expect(said).toHaveLength(1);
    expect(said[0]?.text).toContain('Blue');
  });

  it('announces existing rows when asked to', async () => {
    await t.alert({ name: name(), settings: { silentFirst: false } });

    expect(await t.said('sales-pql')).toHaveLength(1);
  });

  it('tags the person whose e-mail is in the row, and names one whom nobody knows', async () => {
    const alert = await t.alert({ name: name(), settings: { message: '{{ email | mention }}: {{ name }}' } });
    await add(2, 'Blue', 9);
    await add(3, 'Gone', 9, 'left@northwind.example');
    const run = await t.run(alert);

    const [known, unknown] = await t.said('sales-pql');
    expect(known?.text).toContain('"person":{"kind":"person","platform":"local","id":"mia"}');
    expect(unknown?.text).toContain('left@northwind.example');
    expect(unknown?.text).not.toContain('"kind":"person"');
    expect(run.counts.unknownPeople).toEqual(['left@northwind.example']);
  });

  it('speaks of a change in a watched column only, with what it was before', async () => {
    const alert = await t.alert({
      name: name(),
      settings: {
        trigger: 'changed',
        watch: ['seats'],
        message: '{{ name }}: {{ previous.seats }} to {{ seats }}',
      },
    });
    await t.warehouse.query("update accounts set name = 'Acme Inc'");
    await t.run(alert);
    expect(await t.said('sales-pql')).toEqual([]);

    await t.warehouse.query('update accounts set seats = 12');
    await t.run(alert);

    const said = await t.said('sales-pql');
    expect(said).toHaveLength(1);
    expect(said[0]?.text).toContain('Acme Inc: 3 to 12');
  });

  it('says that a row is gone, with its last values', async () => {
    const alert = await t.alert({ name: name(), settings: { trigger: 'removed' } });
    await t.warehouse.query('delete from accounts');
    await t.run(alert);

    expect((await t.said('sales-pql'))[0]?.text).toContain('Acme');
  });

  it('keeps one live card per row: posted, edited, closed with a note in its thread', async () => {
    const alert = await t.alert({ name: name(), settings: { mode: 'card' } });
    await add(2, 'Blue', 9);
    await t.run(alert);
    await t.warehouse.query('update accounts set seats = 10 where id = 2');
    await t.run(alert);
    const edited = await t.said('sales-pql');
    expect(edited).toHaveLength(1);
    expect(edited[0]?.text).toContain('has 10 seats');

    await t.warehouse.query('delete from accounts where id = 2');
    await t.run(alert);

    const [card, note] = await t.said('sales-pql');
    expect(card?.text).toContain('Closed: the row is gone');
    expect(card?.text).not.toContain('"Claim"');
    expect(note?.thread).toBe(card?.id);
  });

  it('opens a new card when a row comes back', async () => {
    const alert = await t.alert({ name: name(), settings: { mode: 'card' } });
    for (let round = 0; round < 2; round += 1) {
      await add(2, 'Blue', 9);
      await t.run(alert);
      await t.warehouse.query('delete from accounts where id = 2');
      await t.run(alert);
    }

    expect((await t.said('sales-pql')).filter((one) => one.thread === null)).toHaveLength(2);
  });

  it('fires once when a number crosses a line, and says when it is back', async () => {
    const alert = await t.alert({
      name: name(),
      settings: {
        trigger: 'threshold',
        threshold: { on: 'value', column: 'seats', test: 'above', limit: 5 },
        mode: 'message',
        recovery: '{{ name }} is fine again',
      },
    });
    await t.warehouse.query('update accounts set seats = 6');
    await t.run(alert);
    await t.warehouse.query('update accounts set seats = 7');
    await t.run(alert);
    expect(await t.said('sales-pql')).toHaveLength(1);

    await t.warehouse.query('update accounts set seats = 2');
    await t.run(alert);

    const said = await t.said('sales-pql');
    expect(said).toHaveLength(2);
    expect(said[1]?.text).toContain('is fine again');
  });

  it('watches the number of rows', async () => {
    const alert = await t.alert({
      name: name(),
      settings: {
        trigger: 'threshold',
        threshold: { on: 'count', test: 'above', limit: 1 },
        title: 'Too many accounts',
        message: '{{ count }} accounts',
      },
    });
    await add(2, 'Blue', 9);
    await t.run(alert);

    expect((await t.said('sales-pql'))[0]?.text).toContain('2 accounts');
  });

  it('gathers a burst into one digest with a file', async () => {
    const alert = await t.alert({ name: name() });
    await t.warehouse.query(
      "insert into accounts select n, 'Account ' || n, n, 'mia@northwind.example' from generate_series(2, 101) n",
    );
    const run = await t.run(alert);

    expect(run.counts).toMatchObject({ added: 100, messages: 1 });
    const [digest] = await t.said('sales-pql');
    expect(digest?.text).toContain('100 rows appeared');
    const [file] = await t.db.query<{ name: string; bytes: Buffer }>('select name, bytes from local_files');
    expect(file?.bytes.toString().trim().split('\r\n')).toHaveLength(101);
    await t.run(alert);
    expect(await t.said('sales-pql')).toHaveLength(1);
  });

  it('digests every row at every run', async () => {
    const alert = await t.alert({ name: name(), settings: { trigger: 'every', mode: 'digest' } });
    await t.run(alert);

    expect(await t.said('sales-pql')).toHaveLength(2);
  });

  it('leaves out rows without a key and rows that share one, and counts them', async () => {
    const alert = await t.alert({ name: name() });
    await t.warehouse.query(
      "insert into accounts values (null, 'No key', 1, ''), (7, 'Twin', 1, ''), (7, 'Twin', 2, '')",
    );
    const run = await t.run(alert);

    expect(run.counts).toMatchObject({ nullKeys: 1, duplicateKeys: 2, messages: 0 });
    expect(await t.said('sales-pql')).toEqual([]);
  });

  it('tells each of several targets, and the one that failed again at the next run, alone', async () => {
    const alert = await t.alert({
      name: name(),
      settings: {
        targets: [
          { type: 'channel', to: 'local:sales-pql' },
          { type: 'channel-from', column: 'email' },
        ],
      },
    });
    await add(2, 'Blue', 9, 'nowhere');
    const first = await t.run(alert);
    expect(first.counts).toMatchObject({ messages: 1, failed: 1 });
    expect(first.counts.reasons?.[0]).toContain('There is no channel "nowhere"');
    expect(JSON.stringify(await t.said('data-alerts'))).toContain('has a problem');

    await t.warehouse.query("update accounts set email = 'general' where id = 2");
    await t.run(alert);

    expect(await t.said('sales-pql')).toHaveLength(1);
    expect(await t.said('general')).toHaveLength(1);
    expect(JSON.stringify(await t.said('data-alerts'))).toContain('works again');
  });

  it('keeps quiet about a row that was set aside, and about a muted alert', async () => {
    const alert = await t.alert({ name: name(), settings: { trigger: 'changed' } });
    await t.warehouse.query('update accounts set seats = 4');
    await t.run(alert);
    const [delivery] = await t.db.query<{ id: string }>("select id from deliveries where kind = 'changed'");
    const until = new Date(Date.now() + 3_600_000);
    const card = await t.app.services.cards.answer(delivery?.id ?? '', 'not a fit', t.by, until);
    expect(JSON.stringify(card)).toContain('Not a fit, says');

    await t.warehouse.query('update accounts set seats = 5');
    expect((await t.run(alert)).counts).toMatchObject({ quiet: 1, messages: 0 });

    await t.app.services.cards.release(delivery?.id ?? '', 'not a fit', t.by);
    await t.app.services.syncs.mute(alert, until);
    await t.warehouse.query('update accounts set seats = 6');
    expect((await t.run(alert)).counts).toMatchObject({ quiet: 1, messages: 0 });
  });

  it('says once that the query broke, and once that it works again', async () => {
    const alert = await t.alert({ name: name() });
    await t.warehouse.query('alter table accounts rename column seats to chairs');
    const failed = await t.run(alert);
    await t.run(alert);
    expect(failed.state).toBe('failed');
    expect(failed.error?.message).toContain('seats');
    const broken = (await t.said('data-alerts')).filter((one) => one.text.includes('has a problem'));
    expect(broken).toHaveLength(1);

    await t.warehouse.query('alter table accounts rename column chairs to seats');
    await t.run(alert);

    const after = await t.said('data-alerts');
    expect(after.filter((one) => one.text.includes('works again'))).toHaveLength(2);
    expect(after.filter((one) => one.text.includes('has a problem'))).toHaveLength(0);
  });
});
