import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectors } from '../../../connectors/index.ts';
import type { Connector } from '../../../engine/contracts/connector.ts';
import { type FakeHttp, startFakeHttp } from '../../fakes/http.ts';
import { startApp, type TestApp } from '../../support/app.ts';

interface Said {
  readonly type: string;
  readonly data: { readonly mark: string; readonly title: string; readonly text: string };
}

let t: TestApp;
let far: FakeHttp<{ readonly said: Said[] }>;
let target: string;

beforeAll(async () => {
  far = await startFakeHttp<{ readonly said: Said[] }>(
    { said: [] },
    {
      'POST /hook': (request, state) => {
        const body = request.json<Said>();
        if (body.type !== 'ping') {
          state.said.push(body);
        }
        return { json: {} };
      },
    },
  );
  t = await startApp();
  const webhook = connectors.find((one) => one.id === 'webhook') as Connector;
  const config = { url: `${far.url}/hook`, secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` };
  await t.app.services.destinations.connect('ops', webhook, config, t.by);
  const place = await t.app.services.places.resolve('ops', t.by);
  target = `${place.platform}:${place.id}`;
  await t.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
});

afterAll(async () => {
  await t.close();
  await far.close();
});

beforeEach(() => {
  far.state.said.length = 0;
  far.heal();
});

describe('an alert that speaks to a webhook', () => {
  it('says a new row once, with the mark that its repeats would have', async () => {
    const name = await t.alert({ name: 'by-hook', settings: { targets: [{ type: 'channel', to: target }] } });
    await t.warehouse.query(`insert into accounts values (1, 'Acme <!here>', 5, 'a@example.com')`);

    const run = await t.run(name);
    await t.run(name);

    expect(run.counts).toMatchObject({ messages: 1, failed: 0 });
    expect(far.state.said).toHaveLength(1);
    expect(far.state.said[0]?.data).toMatchObject({ title: 'Acme <!here>' });
    expect(far.state.said[0]?.data.text).toContain('Acme <!here> has 5 seats');
    far.expectNoUnexpected();
  });

  it('is tried again with the very same mark when no answer came', async () => {
    const name = await t.alert({ name: 'again', settings: { targets: [{ type: 'channel', to: target }] } });
    await t.warehouse.query(`insert into accounts values (2, 'Blue', 7, 'b@example.com')`);
    far.next('done-then-reset');

    const run = await t.run(name);

    expect(run.counts).toMatchObject({ messages: 1 });
    const marks = far.state.said.map(({ data }) => data.mark);
    expect(marks).toHaveLength(2);
    expect(new Set(marks).size).toBe(1);
  });

  it('is offered among the places that an alert can go to, by its name', async () => {
    const offered = await t.app.services.places.search('ops', t.by);

    expect(offered).toContainEqual({ value: target, label: 'ops' });
    expect(
      await t.app.services.places.nameOf({ kind: 'conversation', platform: 'webhook', id: target.slice(8) }),
    ).toBe('ops');
  });
});
