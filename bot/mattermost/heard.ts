import type { Db } from '../../engine/contracts/db.ts';

/** What was heard, for all processes together: each of them is told of every post. */
export interface Heard {
  /** True for the one that asks first, which then answers the post. */
  claim(post: string, at: Date): Promise<boolean>;
  /** When the last post was heard, in this process or another, before a restart too. */
  last(): Promise<Date | undefined>;
}

const KEPT = '7 days';

/** In our own database. */
export function createHeard(db: Db): Heard {
  return {
    claim: async (post, at) => {
      const claimed = await db.query(
        `with old as (delete from heard where platform = 'mattermost' and at < $2::timestamptz - interval '${KEPT}')
         insert into heard (platform, id, at) values ('mattermost', $1, $2) on conflict do nothing returning id`,
        [post, at],
      );
      return claimed.length > 0;
    },
    last: async () => {
      const [row] = await db.query<{ at: Date | null }>(
        "select max(at) as at from heard where platform = 'mattermost'",
      );
      return row?.at ?? undefined;
    },
  };
}
