import { expect, it } from 'vitest';
import { drill } from '../../../bench/drill.ts';
import { freshDb } from '../../support/postgres.ts';

it('says everything exactly once, though workers are killed and Slack fails', async () => {
  const own = await freshDb();
  const lines: string[] = [];
  const result = await drill({
    runs: 8,
    workers: 2,
    kills: 3,
    databaseUrl: own.url,
    log: (line) => lines.push(line),
  }).finally(() => own.close());

  expect(result, lines.join('\n')).toMatchObject({
    kills: 3,
    lost: [],
    doubled: [],
    stale: [],
    strange: [],
  });
  // A drill in which nothing was said proves nothing.
  expect(result.messages).toBeGreaterThanOrEqual(8);
}, 120_000);
