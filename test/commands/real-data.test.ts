import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDispatch } from '../../bot/dispatch.ts';
import { createCommands } from '../../commands/index.ts';
import { connectors } from '../../connectors/index.ts';
import type { Dispatch, Reply } from '../../engine/contracts/chat.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { draftOf, dropDraft, keepDraft, startDraft } from '../../engine/store/drafts.ts';
import { startApp, type TestApp, waitForRun } from '../support/app.ts';
import { silentLog } from '../support/log.ts';

/** Tables of the package vega-datasets: data that nobody here made. */
async function load(t: TestApp, file: string, create: string, insert: string): Promise<number> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');
  const text = await readFile(join(folder, file), 'utf8').catch(() =>
    readFile(join(folder, '..', '..', 'data', file), 'utf8'),
  );
  const [head = '', ...lines] = text
    .trim()
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  const names = head.split(',');
  const rows = lines.map((line) =>
    Object.fromEntries(line.split(',').map((value, at) => [names[at] ?? '', value])),
  );
  await t.warehouse.query(create);
  await t.warehouse.query(insert, [JSON.stringify(rows)]);
  return rows.length;
}

describe('alerts on data that nobody here made, set up through the forms', () => {
  let t: TestApp;
  let dispatch: Dispatch;
  beforeAll(async () => {
    t = await startApp();
    const { db } = t.app;
    dispatch = createDispatch({
      commands: createCommands(connectors),
      services: t.app.services,
      identify: t.app.identify,
      drafts: {
        start: (person, command, answers) => startDraft(db, person, command, answers),
        get: (person, id) => draftOf(db, person, id),
        keep: (id, step, answers) => keepDraft(db, id, step, answers),
        drop: (id) => dropDraft(db, id),
      },
      audit: async () => undefined,
      link: async () => undefined,
      log: silentLog,
    });
  });
  afterAll(() => t.close());

  /** Answers step by step, taking what each step suggests, until the alert is there. */
  async function create(name: string, answers: Raw): Promise<void> {
    const origin = { person: t.by.person, conversation: t.by.conversation };
    let reply: Reply = await dispatch.typed('/activate new-alert', origin);
    for (let step = 0; reply.kind === 'form' && step < 9; step += 1) {
      const { form } = reply;
      expect(form.errors).toEqual({});
      const all: Raw = { ...form.initial, ...answers, name, to: '#sales-pql', schedule: '0 0 1 1 *' };
      const shown = Object.fromEntries(Object.keys(form.fields).map((field) => [field, all[field] ?? '']));
      reply = await dispatch.run({ command: 'new-alert', input: { ...form.hidden, ...shown } }, origin);
    }
    expect(JSON.stringify(reply)).toContain(`${name} is on`);
    await waitForRun(t.app, name);
  }

  const saidOf = async (name: string): Promise<readonly string[]> =>
    (await t.said('sales-pql')).map((one) => one.text).filter((text) => text.includes(`"${name}"`));

  it('flights: a route that is new', async () => {
    const rows = await load(
      t,
      'flights-airport.csv',
      'create table routes (origin text, destination text, count int, primary key (origin, destination))',
      'insert into routes select origin, destination, count from jsonb_to_recordset($1::jsonb) as r (origin text, destination text, count int)',
    );
    await create('new-routes', {
      source: 'warehouse',
      sql: 'select origin, destination, count from routes',
      key: 'origin,destination',
      trigger: 'added',
      title: '{{ origin }} to {{ destination }}',
      message: '{{ count | number }} flights',
      mode: 'message',
    });
    await t.warehouse.query("insert into routes values ('ABE', 'ZZZ', 1234)");
    const run = await t.run('new-routes');

    expect(run.counts).toMatchObject({
      rows: rows + 1,
      added: 1,
      messages: 1,
      nullKeys: 0,
      duplicateKeys: 0,
    });
    expect((await saidOf('new-routes'))[0]).toContain('ABE to ZZZ');
  });

  it('stocks: a price that moved, with the one before', async () => {
    await load(
      t,
      'stocks.csv',
      'create table prices (symbol text, date date, price numeric)',
      'insert into prices select symbol, date, price from jsonb_to_recordset($1::jsonb) as r (symbol text, date date, price numeric)',
    );
    await create('price-changes', {
      source: 'warehouse',
      sql: 'select distinct on (symbol) symbol, date, price from prices order by symbol, date desc',
      key: 'symbol',
      trigger: 'changed',
      watch: 'price',
      title: '{{ symbol }}',
      message: '{{ previous.price }} to {{ price }} on {{ date }}',
      mode: 'message',
    });
    await t.warehouse.query(
      "insert into prices values ('AAPL', '2010-04-01', 241.50), ('MSFT', '2010-04-01', 28.8)",
    );
    const run = await t.run('price-changes');

    expect(run.counts).toMatchObject({ rows: 5, messages: 1 });
    expect((await saidOf('price-changes'))[0]).toContain('223.02 to 241.50 on 2010-04-01');
  });

  it('weather: a day over a line, and back', async () => {
    await load(
      t,
      'seattle-weather.csv',
      'create table weather (date date primary key, temp_max numeric, weather text)',
      'insert into weather select date, temp_max, weather from jsonb_to_recordset($1::jsonb) as r (date date, temp_max numeric, weather text)',
    );
    await create('heat', {
      source: 'warehouse',
      sql: 'select temp_max, date, weather from weather order by date desc limit 1',
      key: '',
      trigger: 'threshold',
      on: 'value',
      column: 'temp_max',
      test: 'above',
      limit: '30',
      title: 'Heat',
      message: '{{ temp_max }} °C on {{ date }}',
      mode: 'card',
    });
    expect(await saidOf('heat')).toEqual([]);
    await t.warehouse.query("insert into weather values ('2016-01-01', 31.1, 'sun')");
    await t.run('heat');
    expect((await saidOf('heat'))[0]).toContain('31.1 °C on 2016-01-01');

    await t.warehouse.query("insert into weather values ('2016-01-02', 20, 'rain')");
    await t.run('heat');

    expect((await saidOf('heat'))[0]).toContain('Back to normal');
  });
});
