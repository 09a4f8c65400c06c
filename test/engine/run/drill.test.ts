import { describe, expect, it } from 'vitest';
import { type DrillResult, drill } from '../../../bench/drill.ts';
import type { SideName } from '../../../bench/drill-sides.ts';
import { freshDb } from '../../support/postgres.ts';

async function drilled(side: SideName): Promise<DrillResult> {
  const own = await freshDb();
  const lines: string[] = [];
  const result = await drill({
    side,
    runs: 6,
    workers: 2,
    kills: 3,
    databaseUrl: own.url,
    log: (line) => lines.push(line),
  }).finally(() => own.close());
  expect(result, lines.join('\n')).toMatchObject({ kills: 3, lost: [], strange: [] });
  // A drill in which nothing was said proves nothing.
  expect(result.messages).toBeGreaterThanOrEqual(6);
  return result;
}

describe('workers are killed and the platform fails', () => {
  it.each(['slack', 'mattermost', 'teams-read-back', 'local'] as const)(
    'everything is said exactly once: %s',
    async (side) => {
      expect(await drilled(side)).toMatchObject({ doubled: [], repeats: 0, stale: [] });
    },
    120_000,
  );

  // Nothing there can be looked at, so that what was in doubt is said again: never lost, and never more often than that.
  it('nothing is lost, and only what was in doubt is said again: teams without Graph', async () => {
    const { doubled, stale, repeats, doubts } = await drilled('teams');
    expect(repeats).toBeLessThanOrEqual(doubts);
    // The message that nobody knew of is not edited either.
    expect(doubled).toEqual(expect.arrayContaining([...stale]));
  }, 120_000);
});
