import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { Run } from '../../engine/store/runs.ts';
import { type Gate, type Struck, startGate } from '../support/gate.ts';
import { at, portOf } from './addresses.ts';
import { type Hand, type Installation, install } from './installation.ts';

/** What a framework makes of the accounts in the warehouse. */
export interface Play {
  readonly framework: 'objects' | 'events' | 'audiences' | 'files' | 'tasks';
  /** What has been done for each row that is new: the word that runs count it by. */
  readonly word: string;
  /** What has been done for one row that is new, one that is renamed, one whose address changed, and one that left. */
  readonly changes: Readonly<Record<string, number>>;
  /** Asks the table `accounts` what has to be there in the end. */
  readonly wanted: string;
}

/** A destination's far side while a scenario is played. */
export interface FarSide {
  /** Of 127.0.0.1. */
  readonly port: number;
  /** What a person would type to connect to it when it were at this port. */
  connection(port: number): {
    readonly config: Readonly<Record<string, string>>;
    readonly secrets: Readonly<Record<string, string>>;
  };
  /** The settings of the sync, as YAML. */
  readonly settings: string;
  /** What is there, as rows of {@link Play.wanted}. */
  there(): readonly unknown[] | Promise<readonly unknown[]>;
  /** How many requests came so far that change something. */
  writes(): number | Promise<number>;
  readonly refusal: RowRefusal | Outage;
  /** Answers the next two requests as a server does that has too much to do. */
  stumble?(): void;
  /** Throws when what is there must not be, in the middle of a run too. */
  inspect?(): void;
  close(): Promise<void>;
}

/** A value of a column that it does not take. */
export interface RowRefusal {
  readonly column: 'plan' | 'email';
  readonly bad: string;
  readonly reason: RegExp;
}

/** Where single rows can't be refused, it refuses everything for a while. */
export interface Outage {
  begin(): void;
  end(): void;
  readonly reason: RegExp;
}

/** Rows are compared inside the warehouse, and workers are struck down at pieces that go to the destination, or there. */
export type Inside = 'struck at the destination' | 'struck at the warehouse';

/** The one sync of the file. */
export const sync = 'accounts-out';

/** One far side, the gate before it, and an installation that knows nothing of it but by its file. */
export class Stage {
  readonly house: Installation;
  readonly far: FarSide;
  readonly gate: Gate;
  readonly yaml: string;
  private readonly play: Play;
  private readonly inside: Inside | undefined;
  private hand: Hand;
  private rows = 0;

  private constructor({ play, house, far, gate, inside }: Filed, hand: Hand, yaml: string) {
    this.play = play;
    this.inside = inside;
    this.house = house;
    this.hand = hand;
    this.far = far;
    this.gate = gate;
    this.yaml = yaml;
  }

  static async set(
    play: Play,
    connector: string,
    start: () => Promise<FarSide>,
    inside?: Inside,
  ): Promise<Stage> {
    const house = await install();
    const far = await start();
    const gate = await startGate(
      inside === 'struck at the warehouse' ? portOf(house.warehouseUrl) : far.port,
    );
    await house.warehouse.query(
      `create table accounts (id int primary key, name text, seats int, email text, plan text, at timestamptz,
         gone boolean not null default false)`,
    );
    const file = { play, connector, far, house, gate, inside };
    return new Stage(file, await house.hire(), await fileOf(file));
  }

  async apply(): Promise<void> {
    await this.house.services.documents.apply(this.yaml, this.house.by);
  }

  /** Adds so many accounts, the newest last. */
  async add(count: number): Promise<void> {
    await this.change(
      `insert into accounts select i, 'Account ' || i, i, 'a' || i || '@acme.example', 'Normal',
         timestamptz '2026-11-20 08:00:00Z' + i * interval '1 minute'
         from generate_series($1::int, $2::int) i`,
      [this.rows + 1, this.rows + count],
    );
    this.rows += count;
  }

  async change(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.house.warehouse.query(sql, values);
  }

  async isAsWanted(): Promise<void> {
    const wanted = await this.house.warehouse.query(this.play.wanted);
    expect(sorted(await this.far.there())).toEqual(sorted(wanted));
    // Nothing is left to be worked in, and where rows are compared here, nothing stands in the warehouse.
    const states = await this.house.db.query('select run_id from warehouse_states');
    expect(states).toEqual(this.inside === undefined ? [] : [{ run_id: null }]);
    this.far.inspect?.();
  }

  async refuseRow({ column, bad, reason }: RowRefusal): Promise<void> {
    const { house } = this;
    const { word } = this.play;
    await this.add(2);
    const [row] = await house.warehouse.query<{ good: string }>(
      `select ${column} as good from accounts where id = $1`,
      [this.rows],
    );
    await this.change(`update accounts set ${column} = $2 where id = $1`, [this.rows, bad]);

    const refused = await house.run(sync);
    expect(refused).toMatchObject({ state: 'done', counts: { failed: 1, done: { [word]: 1 } } });
    const [kept, ...others] = await house.services.syncs.reasons(sync);
    expect(others).toEqual([]);
    expect(kept).toMatchObject({ count: 1, example: String(this.rows) });
    expect(kept?.reason).toMatch(reason);
    expect(kept?.reason).not.toContain(bad);
    const again = await house.run(sync);
    expect(again).toMatchObject({ state: 'done', counts: { failed: 1, done: {} } });

    await this.change(`update accounts set ${column} = $2 where id = $1`, [this.rows, row?.good]);
    const healed = await house.run(sync);
    expect(healed).toMatchObject({ state: 'done', counts: { failed: 0, done: { [word]: 1 } } });
    expect(await house.services.syncs.reasons(sync)).toEqual([]);
  }

  async refuseAll({ begin, end, reason }: Outage): Promise<void> {
    await this.add(2);
    begin();
    const refused = await this.house.run(sync);
    end();

    expect(refused.state).toBe('failed');
    expect(refused.error?.message).toMatch(reason);
    const healed = await this.house.run(sync);
    expect(healed).toMatchObject({ state: 'done', counts: { done: { [this.play.word]: 2 } } });
  }

  /** A run in which workers are struck down one after the other, each at some piece, and the last one ends it. */
  async dieInRun(where: 'here' | 'own process', deaths: number): Promise<void> {
    const pieces = await this.piecesOfRun();
    let left = pieces;
    await this.change('update accounts set name = $1 where id = 9', [`Renamed ${this.rows}`]);
    await this.change('update accounts set gone = true where id = $1', [this.rows - 25]);
    await this.add(20);
    await this.house.start(sync);
    const log: string[] = [];
    for (let death = 1; death <= deaths; death += 1) {
      const at = 1 + Math.floor(Math.random() * left);
      // Whoever goes on has to say again at least what was not answered.
      left = Math.max(1, left - at);
      const how: Struck = Math.random() < 0.5 ? 'arrived' : 'lost';
      log.push(`struck at piece ${at} of ${pieces}, which ${how === 'lost' ? 'was lost' : 'arrived'}`);
      const struck = this.gate.strike(at, how).then(() => 'struck' as const);
      const hand = await this.house.hire(where);
      const what = await Promise.race([struck, this.house.ended(sync)]);
      const killed = hand.kill();
      this.gate.cut();
      await killed;
      // Its good-byes, and whatever it opened to take back what it began, are no part of the next worker's life.
      this.gate.cut();
      this.far.inspect?.();
      if (what !== 'struck') {
        throw new Error(`the run ended before its worker did: ${log.join('; ')}`);
      }
    }
    this.hand = await this.house.hire();

    const run: Run = await this.house.ended(sync);
    expect(run.counts.failed ?? 0, log.join('; ')).toBe(0);
    expect(run, log.join('; ')).toMatchObject({ state: 'done', attempts: deaths + 1, error: null });
  }

  /** How many pieces a worker sends that knows nothing yet and hands over twenty rows. Leaves no worker. */
  private async piecesOfRun(): Promise<number> {
    await this.hand.kill();
    await this.add(20);
    const before = this.gate.passed;
    const hand = await this.house.hire();
    await this.house.run(sync);
    const pieces = this.gate.passed - before;
    await hand.kill();
    return pieces;
  }

  async close(): Promise<void> {
    await this.house.close();
    await this.gate.close();
    await this.far.close();
  }
}

interface Filed {
  readonly play: Play;
  readonly connector: string;
  readonly far: FarSide;
  readonly house: Installation;
  readonly gate: Gate;
  readonly inside: Inside | undefined;
}

/** The file of an installation with one sync. Secrets come from the environment, by the names that an export has. */
async function fileOf({ play, connector, far, house, gate, inside }: Filed): Promise<string> {
  const { warehouseVariable } = house;
  const port = inside === 'struck at the warehouse' ? far.port : gate.port;
  const [number = ''] = /\d+/.exec(warehouseVariable) ?? [];
  const { config, secrets } = far.connection(port);
  const references = Object.entries(secrets).map(([field, value]) => {
    const name = `CONNECTION_FAR_SIDE_${number}_${field.toUpperCase()}`;
    process.env[name] = value;
    return [field, `\${${name}}`];
  });
  const reference = { url: `\${${warehouseVariable}}` };
  const source =
    inside === undefined
      ? { connector: 'postgres', secrets: reference }
      : { connector: 'postgres', config: await planner(house, gate, inside), secrets: reference };
  const destination = { connector, config, secrets: Object.fromEntries(references) };
  const head = stringify({
    sources: { [`warehouse-${number}`]: source },
    destinations: { [`far-side-${number}`]: destination },
  });
  return `${head}
models:
  accounts:
    source: warehouse-${number}
    key: [id]
    sql: |
      select id, name, seats, email, plan, at, 'user-' || id as user_id
      from accounts
      where not gone

syncs:
  ${sync}:
    framework: ${play.framework}
    model: accounts
    destination: far-side-${number}
    schedule: 0 0 1 1 *
    approval: { ask: never }
${far.settings.trim().replaceAll(/^/gm, '    ')}
`;
}

/** Makes a role that reads accounts and has a schema of its own; what is stored of the source besides its address. */
async function planner(
  { warehouse, warehouseUrl, warehouseVariable }: Installation,
  gate: Gate,
  inside: Inside,
): Promise<Readonly<Record<string, string>>> {
  const role = `planner_${randomUUID().slice(0, 8)}`;
  await warehouse.query(`create role ${role} login password 'plans'`);
  await warehouse.query(`grant select on accounts to ${role}`);
  await warehouse.query(`create schema planner authorization ${role}`);
  const url = new URL(warehouseUrl);
  url.username = role;
  url.password = 'plans';
  process.env[warehouseVariable] = inside === 'struck at the warehouse' ? at(url.href, gate.port) : url.href;
  return { plannerSchema: 'planner', planner: 'warehouse' };
}

function sorted(rows: readonly unknown[]): readonly string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}
