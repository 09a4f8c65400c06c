import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createDb } from '../../../engine/store/db.ts';
import { startEmbedded } from '../../../engine/store/embedded.ts';
import { silentLog } from '../../support/log.ts';

it('keeps its data in a folder that is named from here, as the configuration does', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'activate-embedded-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const from = relative(process.cwd(), join(dir, 'data'));
  const ask = async (statement: string): Promise<readonly unknown[]> => {
    const server = await startEmbedded(from);
    const db = createDb(server.url('postgres'), { schema: 'public', log: silentLog });
    try {
      return await db.query(statement);
    } finally {
      await db.close();
      await server.stop();
    }
  };

  await ask('create table kept as select 7 as number');

  expect(await ask('select number from kept')).toEqual([{ number: 7 }]);
});
