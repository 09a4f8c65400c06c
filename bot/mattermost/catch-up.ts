import type { Log } from '../../engine/contracts/log.ts';
import { isClosed } from './errors.ts';
import type { Heard } from './heard.ts';
import { insist } from './insist.ts';
import type { Desk } from './post.ts';
import type { Receiver } from './receive.ts';

/** What is older was said to nobody: an answer hours later would surprise. */
const MISSED_MS = 60 * 60_000;
/** A post can be claimed a moment before one that the server took earlier. */
const OVERLAP_MS = 60_000;
const RETRY_MS = 1000;

interface Parts {
  readonly desk: Desk;
  readonly receiver: Receiver;
  readonly heard: Heard;
  readonly log: Log;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/**
 * Answers direct messages and mentions that came while nobody heard, since the last one that was heard: in this
 * process, in another, or before a restart; `began` is when this process began to hear, if it did before. At the very
 * first start there is neither, and nothing is read.
 */
export async function catchUp(
  { desk, receiver, heard, log, now, signal }: Parts,
  began: Date | undefined,
): Promise<void> {
  const last = (await heard.last()) ?? began;
  if (last === undefined) {
    return;
  }
  const since = Math.max(last.getTime() - OVERLAP_MS, now().getTime() - MISSED_MS);
  const about = { log, signal, firstWaitMs: RETRY_MS };
  for (const channel of await insist(() => ownChannels(desk), about)) {
    if (channel.last_post_at < since) {
      continue;
    }
    try {
      const { order, posts } = await insist(() => desk.web.getPostsSince(channel.id, since, false), about);
      const missed = order
        .flatMap((id) => (posts[id] === undefined ? [] : [posts[id]]))
        .filter((post) => post.create_at >= since && post.delete_at === 0)
        .sort((a, b) => a.create_at - b.create_at);
      for (const post of missed) {
        await receiver.seen(post, channel.type === 'D');
      }
    } catch (error) {
      if (!isClosed(error)) {
        throw error;
      }
      log.debug({ channel: channel.id }, 'Channel could not be read back');
    }
  }
}

interface OwnChannel {
  readonly id: string;
  readonly type: string;
  readonly last_post_at: number;
}

/** Everything the bot is in; direct messages are listed with each team. */
async function ownChannels(desk: Desk): Promise<readonly OwnChannel[]> {
  const all = new Map<string, OwnChannel>();
  for (const team of await desk.web.getMyTeams()) {
    for (const channel of await desk.web.getMyChannels(team.id)) {
      all.set(channel.id, channel);
    }
  }
  return [...all.values()];
}
