import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectors } from '../../connectors/index.ts';
import { shortPlan } from '../../engine/cards/hold.ts';
import type { Connector } from '../../engine/contracts/connector.ts';
import { pendingHolds } from '../../engine/store/holds.ts';
import { type Installation, install } from '../scenarios/installation.ts';
import { startReceiver, toReceiver } from '../scenarios/receiver.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { policyWith, until } from './house.ts';

const name = 'buyers';
const rows = 30;
const list = new Set<string>();
let house: Installation;
let gate: Gate;
let close: () => Promise<void>;

beforeAll(async () => {
  house = await install();
  const fake = await startReceiver(({ type, data }) => {
    const { email } = data['identifiers'] as { readonly email: string };
    list[type === 'audience.add' ? 'add' : 'delete'](email);
    return {};
  });
  const far = toReceiver(fake, 5);
  gate = await startGate(far.port);
  close = async () => {
    await house.close();
    await gate.close();
    await fake.close();
  };
  const { services, by, warehouse, warehouseVariable } = house;
  await warehouse.query('create table buyers (id int primary key, email text)');
  const url = process.env[warehouseVariable] ?? '';
  await services.sources.connect('warehouse', named('postgres'), { url }, by);
  const { config, secrets } = far.connection(gate.port);
  await services.destinations.connect('hook', named('webhook'), { ...config, ...secrets }, by);
  await services.syncs.create(
    {
      name,
      framework: 'audiences',
      source: 'warehouse',
      sql: 'select id, email from buyers',
      key: ['id'],
      destination: 'hook',
      settings: { list: name, listName: 'Buyers', identifiers: { email: 'email' } },
      schedule: { cron: '0 0 1 1 *', timeZone: 'UTC' },
      startsNow: false,
      policy: policyWith({ ask: 'always' }),
    },
    by,
  );
});

afterAll(() => close());

function named(id: string): Connector {
  const found = connectors.find((one) => one.id === id);
  if (found === undefined) {
    throw new Error(`no connector ${id}`);
  }
  return found;
}

/** Each is struck at another piece of what it sends, and gone with SIGKILL. */
it.each([1, 4])(
  'a process killed at piece %i of the delivery leaves exactly the approved plan to be finished',
  async (piece) => {
    const before = list.size;
    const { db, services, warehouse } = house;
    await warehouse.query(
      `insert into buyers select i, 'a' || i || '@acme.example' from generate_series($1::int, $2::int) i`,
      [before + 1, before + rows],
    );
    const planner = await house.hire();
    await house.start(name);
    await until('it waits', async () => (await pendingHolds(db, name)).length === 1);
    const [hold] = await pendingHolds(db, name);
    await planner.kill();
    await warehouse.query(`update buyers set email = 'late' || id || '@acme.example' where id > $1`, [
      before,
    ]);
    await services.approvals.approve({ name, plan: shortPlan(hold?.fingerprint ?? '') }, house.by);
    const struck = gate.strike(piece, piece % 2 === 0 ? 'arrived' : 'lost');

    const first = await house.hire('own process');
    await struck;
    const killed = first.kill();
    gate.cut();
    await killed;
    const second = await house.hire('own process');
    const run = await house.ended(name);
    await second.kill();

    expect(run).toMatchObject({ id: hold?.runId, state: 'done', counts: { failed: 0 }, attempts: 2 });
    expect([...list].sort()).toEqual(
      Array.from({ length: before + rows }, (_, at) => `a${at + 1}@acme.example`).sort(),
    );
    await warehouse.query(`update buyers set email = 'a' || id || '@acme.example'`);
  },
);
