import type { Sender } from '../contracts/chat.ts';
import type { Db } from '../contracts/db.ts';
import { asActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import type { MessageRef, PlatformId } from '../contracts/refs.ts';
import { places } from '../run/health.ts';
import { claimNotice, type DbtNotice, noteDrawn } from '../store/dbt-events.ts';
import type { People } from '../store/people.ts';
import { syncById } from '../store/syncs.ts';

export interface NoticeParts {
  readonly db: Db;
  readonly senders: ReadonlyMap<PlatformId, Sender>;
  readonly people: People;
  readonly now: () => Date;
  readonly log: Log;
}

const leaseMs = 60_000;

/** Posts and edits what is to be said, once each: a post is looked for before it is made again. */
export async function tellNotices(parts: NoticeParts, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const now = parts.now();
    const notice = await claimNotice(parts.db, now, new Date(now.getTime() + leaseMs));
    if (notice === undefined) {
      return;
    }
    try {
      await noteDrawn(parts.db, notice, await told(parts, notice));
    } catch (thrown) {
      const error = asActivateError(thrown);
      parts.log.warn({ code: error.code, reason: error.message }, 'a notice about dbt did not get through');
    }
  }
}

/** The message that shows a notice; null where nobody can be told, or it was over before anybody was. */
async function told(parts: NoticeParts, notice: DbtNotice): Promise<MessageRef | null> {
  const { card, message } = notice;
  if (message !== null) {
    await parts.senders.get(message.conversation.platform)?.update(message, { card });
    return message;
  }
  const sync = notice.endedAt === null ? await syncById(parts.db, notice.syncId) : undefined;
  for (const target of sync === undefined ? [] : await places(parts, sync)) {
    const sender = parts.senders.get(target.platform);
    const found = await sender?.find(target, notice.id, notice.createdAt);
    if (found !== undefined) {
      await sender?.update(found, { card });
      return found;
    }
    try {
      if (sender !== undefined) {
        return await sender.post(target, { card }, { mark: notice.id });
      }
    } catch (thrown) {
      if (asActivateError(thrown).code !== 'TARGET_GONE') {
        throw thrown;
      }
    }
  }
  return null;
}
