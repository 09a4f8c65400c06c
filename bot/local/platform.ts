import type { Dispatch } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Platform } from '../platform.ts';
import { createLive } from './live.ts';
import { createRoutes } from './receive.ts';
import { createSender } from './sender.ts';
import { createSession } from './session.ts';
import { CHANNEL, type Change, type LocalChannel, type LocalGroup, type LocalPerson } from './store.ts';

export interface LocalOptions {
  readonly db: Db;
  readonly log: Log;
  /** Who can be acted as; the first one is who a new browser acts as. */
  readonly people: readonly LocalPerson[];
  readonly channels: readonly LocalChannel[];
  readonly groups?: readonly LocalGroup[];
  /** Asked for before anything is shown; none when left out. */
  readonly password?: string;
  readonly now?: () => Date;
}

/** The built-in chat: a platform like the others, whose server is Activate itself. */
export function createLocal(options: LocalOptions): Platform {
  const { db, log, people, channels, groups = [], password, now = () => new Date() } = options;
  const sender = createSender({ db, people, channels, groups, now });
  const live = createLive();
  let dispatch: Dispatch | undefined;
  const handler = createRoutes({
    db,
    log,
    sender,
    now,
    live,
    session: createSession(password, now),
    password: password !== undefined,
    dispatch: () => dispatch,
  });
  return {
    ...sender,
    routes: { path: '/', handler },
    async receive(given, signal) {
      await sender.ready();
      await db.listen(CHANNEL, (payload) => live.tell(JSON.parse(payload) as Change), signal);
      signal.addEventListener('abort', () => live.close());
      dispatch = given;
    },
  };
}
