import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../../engine/store/migrate.ts';
import { type FreshDb, freshDb } from '../../support/postgres.ts';

describe('migrations', () => {
  let fresh: FreshDb;
  beforeAll(async () => {
    fresh = await freshDb();
  });
  afterAll(() => fresh.close());

  it('finds nothing to do the second time, also for several processes at once', async () => {
    const ran = await Promise.all([1, 2, 3].map(() => migrate(fresh.db, 'activate')));

    expect(ran).toEqual([[], [], []]);
  });

  it('refuses a database that a newer version set up', async () => {
    await fresh.db.query("insert into migrations (name) values ('9999-from-the-future.sql')");

    await expect(migrate(fresh.db, 'activate')).rejects.toThrow(/newer Activate/);
  });

  it('rolls a transaction back when the work throws, and goes on', async () => {
    const work = fresh.db.transaction(async (sql) => {
      await sql.query("insert into paces values ('x', now())");
      throw new Error('no');
    });

    await expect(work).rejects.toThrow('no');
    expect(await fresh.db.query('select * from paces')).toEqual([]);
  });

  it('hears notifications', async () => {
    const stop = new AbortController();
    const heard = new Promise<string>((resolve) => {
      fresh.db
        .listen('some channel', resolve, stop.signal)
        .then(() => fresh.db.query(`select pg_notify('some channel', 'hello')`), resolve);
    });

    expect(await heard).toBe('hello');
    stop.abort();
  });
});
