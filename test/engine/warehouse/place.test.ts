import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgres } from '../../../connectors/postgres/index.ts';
import type { Connector } from '../../../engine/contracts/connector.ts';
import type { Dialect } from '../../../engine/contracts/source.ts';
import type { PlanRequest } from '../../../engine/frameworks/framework.ts';
import { baseline } from '../../../engine/planner/baseline.ts';
import { startYard, type Yard } from './yard.ts';

/** What the warehouse says of itself, and how often it was asked for its rows. */
interface Said {
  dialect: Dialect;
  rows: number;
  asked: number;
}

const limits = { timeoutMs: 20_000 };
const request: PlanRequest = { columns: ['id'], kind: 'difference', silentFirst: false };
const said: Said = { dialect: 'redshift', rows: 0, asked: 0 };

const real: Connector = postgres;

/** A real database that says of itself what it is told to say. */
const teller: Connector = {
  ...real,
  open: async (values, context) => {
    const opened = await real.open(values, context);
    if (opened.source === undefined) {
      throw new Error('there is nothing to read from');
    }
    const count = async (): Promise<number> => {
      said.asked += 1;
      return said.rows;
    };
    const source = {
      ...opened.source,
      count,
      get dialect() {
        return said.dialect;
      },
    };
    return { ...opened, source };
  },
};

let yard: Yard;

beforeAll(async () => {
  yard = await startYard({ planner: 'automatic' }, teller);
  await yard.sql('create table public.things (id int)');
});
afterAll(() => yard.close());

async function placeOf(syncId: number): Promise<'here' | 'in the warehouse'> {
  const inside = await yard.told.inside(
    {
      sync: { id: syncId, name: 'things' },
      model: { sourceId: yard.sourceId, sql: 'select id from public.things', key: ['id'] } as never,
      request,
    },
    limits,
  );
  return inside === undefined ? 'here' : 'in the warehouse';
}

describe('whichever costs less', () => {
  it.each(['redshift', 'snowflake', 'bigquery', 'databricks'] as const)(
    'is to compare here below a million rows of %s, and in the warehouse from there on',
    async (dialect) => {
      Object.assign(said, { dialect, rows: 999_999 });
      expect(await placeOf(await yard.newSync())).toBe('here');

      Object.assign(said, { rows: 1_000_000 });
      expect(await placeOf(await yard.newSync())).toBe('in the warehouse');
    },
  );

  it('is to compare here for PostgreSQL, however many rows there are, which it need not count', async () => {
    Object.assign(said, { dialect: 'postgresql', rows: 1_000_000_000, asked: 0 });

    expect(await placeOf(await yard.newSync())).toBe('here');
    expect(said.asked).toBe(0);
  });

  it('is to go on here for a sync that began here, whatever it has grown to', async () => {
    Object.assign(said, { dialect: 'redshift', rows: 1_000_000_000 });
    const syncId = await yard.newSync();
    const shape = { key: ['numeric'], columns: ['id'] } as const;
    const lines = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n');
    };
    await yard.told.replaceAll(syncId, shape, (write) => baseline({ lines: lines(), shape, write }));

    expect(await placeOf(syncId)).toBe('here');
  });
});
