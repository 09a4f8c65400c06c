import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectors } from '../../../connectors/index.ts';
import { asActivateError } from '../../../engine/contracts/errors.ts';
import { startApp, type TestApp } from '../../support/app.ts';

/** What somebody is told: the message, what to do, and what is said at single fields. */
async function told(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (thrown) {
    const error = asActivateError(thrown);
    expect(error.code).not.toBe('BUG');
    return [error.message, error.fix ?? '', ...Object.values(error.fields ?? {})].join(' ');
  }
  throw new Error('it should have been refused');
}

describe('bad input ends in a clear sentence, and loses nothing', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startApp();
    await t.warehouse.query('create table accounts (id bigint, name text, seats bigint, email text)');
  });
  afterAll(() => t.close());

  it.each([
    ['two statements', 'select 1 as id; drop table accounts', /one (statement|query|SELECT)/i],
    ['a deletion in a CTE', 'with gone as (delete from accounts returning *) select * from gone', /DELETE/i],
    ['pg_sleep', 'select pg_sleep(100)', /pg_sleep/],
    ['nonsense', 'selec * form accounts', /SELECT/i],
    ['a table that is not there', 'select * from nowhere', /nowhere.*line 1, column 15/],
  ])('refuses %s', async (_, sql, sentence) => {
    expect(await told(() => t.app.services.models.examine('warehouse', sql))).toMatch(sentence);
    expect(await t.warehouse.query('select count(*) from accounts')).toHaveLength(1);
  });

  it('allows a query without rows, and says so', async () => {
    const finding = await t.app.services.models.examine('warehouse', 'select * from accounts');

    expect(finding.rows).toBe(0);
    expect(finding.warnings.join(' ')).toContain('no rows just now');
  });

  it('warns of keys that are missing or shared', async () => {
    const sql = "select * from (values (null, 'a'), ('x', 'b'), ('x', 'c')) as given (id, name)";
    const finding = await t.app.services.models.examine('warehouse', sql, ['id']);

    expect(finding.warnings.join(' ')).toMatch(/1 of 3 rows have no id.*2 rows share 1 keys/);
  });

  it('says that the password is wrong, and does not say which', async () => {
    const postgres = connectors.find((one) => one.id === 'postgres');
    const url = new URL(t.url);
    url.password = 'guessed-wrong';
    const sentence = await told(async () => {
      if (postgres !== undefined) {
        await t.app.services.sources.connect('other', postgres, { url: url.href }, t.by);
      }
    });

    expect(sentence).toMatch(/password|refused/i);
    expect(sentence).not.toContain('guessed-wrong');
  });

  it('says that nobody answers at an address', async () => {
    const postgres = connectors.find((one) => one.id === 'postgres');
    const url = 'postgres://someone:secret-word@127.0.0.1:9/none';
    const sentence = await told(async () => {
      if (postgres !== undefined) {
        await t.app.services.sources.connect('other', postgres, { url }, t.by);
      }
    });

    expect(sentence).toContain('127.0.0.1');
    expect(sentence).not.toContain('secret-word');
  });

  it('refuses a message about a column that there is not, at its field', async () => {
    const made = (): Promise<unknown> => t.alert({ name: 'typo', settings: { message: '{{ seat }}' } });

    expect(await told(made)).toContain('Did you mean {{ seats }}?');
    expect(await t.app.services.syncs.list()).toEqual([]);
  });

  it('refuses a message that loops', async () => {
    await t.warehouse.query("insert into accounts values (1, 'Acme', 1, '')");
    const alert = await t.alert({
      name: 'loop',
      settings: { message: '{% for i in (1..99999) %}{% for j in (1..99999) %}x{% endfor %}{% endfor %}' },
    });
    await t.warehouse.query("insert into accounts values (2, 'Blue', 1, '')");
    const run = await t.run(alert);

    expect(run.counts).toMatchObject({ messages: 0, failed: 1 });
    expect(JSON.stringify(await t.said('data-alerts'))).toContain('One message did not get through');
    await t.app.services.syncs.remove(alert, t.by);
  });

  it('keeps what can not be said when a channel is gone, says so once, and says it when the channel is back', async () => {
    const alert = await t.alert({
      name: 'gone',
      settings: { targets: [{ type: 'channel', to: 'local:general' }] },
    });
    await t.db.query("update local_conversations set archived_at = now() where id = 'general'");
    await t.warehouse.query("insert into accounts values (3, 'Green', 1, '')");
    await t.run(alert);
    await t.run(alert);
    const notices = (await t.said('data-alerts')).filter((one) => one.text.includes('gone has a problem'));
    expect(notices).toHaveLength(1);

    await t.db.query("update local_conversations set archived_at = null where id = 'general'");
    await t.run(alert);

    expect((await t.said('general')).map((one) => one.text).join()).toContain('Green');
    await t.app.services.syncs.remove(alert, t.by);
  });

  it('puts a hundred thousand new rows into one message with a file', async () => {
    const alert = await t.alert({ name: 'flood' });
    await t.warehouse.query(
      "insert into accounts select n, 'A' || n, n, '' from generate_series(1000, 100999) n",
    );
    const run = await t.run(alert);

    expect(run.counts).toMatchObject({ added: 100_000, messages: 1, failed: 0 });
    expect((await t.run(alert)).counts).toMatchObject({ added: 0, messages: 0 });
  });
});
