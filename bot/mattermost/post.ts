import type { Card } from '../../engine/contracts/card.ts';
import type { Attachment } from '../../engine/contracts/chat.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Target } from '../../engine/contracts/refs.ts';
import { type Drawn, drawCard, mentionedIn, type Press } from './card.ts';
import type { Directory } from './directory.ts';
import { refusalOf } from './errors.ts';
import { uploadAll } from './files.ts';
import type { Pressed, Tokens } from './tokens.ts';
import type { Web } from './web.ts';

/** The name under which a post carries its mark, unseen. */
export const MARK = 'activate_mark';

const NOT_A_MEMBER = 'api.context.permissions.app_error';

/** Where a drawing is shown: a press proves that it comes from there. */
export interface Spot {
  readonly channel: string;
  readonly thread?: string;
  /** Only they see it. */
  readonly reader?: string;
  readonly post?: string;
  /** What else a press brings along. */
  readonly along?: Pick<Pressed, 'home' | 'ephemeral'>;
}

/** The parts that draw and post. */
export interface Desk {
  readonly web: Web;
  readonly directory: Directory;
  readonly tokens: Tokens;
  readonly log: Log;
  /** Where presses go, as `https://bot.example.com/mattermost`. */
  readonly callbackUrl: string;
}

/** Draws a card for a spot; what had to be cut is logged. */
export async function drawFor(desk: Desk, card: Card, spot: Spot): Promise<Drawn> {
  const usernames = await desk.directory.usernames(mentionedIn(card.blocks));
  const { thread, reader, post, channel, along } = spot;
  const integration = (press: Press) => {
    const pressed: Pressed = { ...press, ...(thread === undefined ? {} : { thread }), ...along };
    const token = desk.tokens.button(pressed, {
      channel,
      ...(reader === undefined ? {} : { person: reader }),
      ...(post === undefined ? {} : { post }),
    });
    return { url: `${desk.callbackUrl}/action`, context: { token } };
  };
  const { payload, losses } = drawCard(card, { usernames, integration });
  if (losses.length > 0) {
    desk.log.warn({ losses, channel }, 'Message did not fit into Mattermost as it was');
  }
  return payload;
}

export interface Posting {
  readonly channel: string;
  readonly thread?: string;
  readonly card: Card;
  readonly files: readonly Attachment[];
  readonly mark?: string;
  readonly along?: Spot['along'];
}

export interface Posted {
  readonly id: string;
  readonly channel: string;
  readonly thread?: string;
}

/** Posts a card with its files. A public channel that the bot is not in is joined first. */
export async function postCard(desk: Desk, posting: Posting): Promise<Posted> {
  const { channel, thread, mark, along } = posting;
  const drawn = await drawFor(desk, posting.card, {
    channel,
    ...(thread === undefined ? {} : { thread }),
    ...(along === undefined ? {} : { along }),
  });
  const upload = (file: Attachment): Promise<string> =>
    joining(desk, channel, () => desk.web.upload(channel, file));
  const { posts, missing } = await uploadAll(upload, desk.log, posting.files);
  const [first = [], ...more] = posts;
  const me = await desk.directory.me();
  const root = thread === undefined ? {} : { root_id: thread };
  const created = await joining(desk, channel, () =>
    desk.web.createPost({
      channel_id: channel,
      message: drawn.message,
      ...root,
      props: {
        attachments: drawn.attachments,
        ...(mark === undefined ? {} : { [MARK]: mark }),
      },
      ...(first.length === 0 ? {} : { file_ids: [...first] }),
      // The server answers a second post of this name, within 30 seconds, with the first.
      ...(mark === undefined ? {} : { pending_post_id: `${me.id}:${mark}` }),
    }),
  );
  await followUp(desk, { channel, thread: thread ?? created.id }, more, missing);
  return { id: created.id, channel, ...(thread === undefined ? {} : { thread }) };
}

/** More files than one post carries, and what could not be attached, in the thread. The message itself is out. */
async function followUp(
  desk: Desk,
  at: { readonly channel: string; readonly thread: string },
  files: readonly (readonly string[])[],
  missing: readonly string[],
): Promise<void> {
  const said = missing.length === 0 ? [] : [{ message: missing.join('\n') }];
  for (const part of [...files.map((ids) => ({ message: '', file_ids: [...ids] })), ...said]) {
    try {
      await desk.web.createPost({ channel_id: at.channel, root_id: at.thread, ...part });
    } catch (error) {
      desk.log.warn({ error, channel: at.channel }, 'Files of a message could not be posted');
    }
  }
}

/**
 * Does the work; when the bot is no member of the channel it joins, if it may, and does it once more: what is refused
 * was certainly not posted.
 */
async function joining<T>(desk: Desk, channel: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (refusalOf(error)?.id !== NOT_A_MEMBER) {
      throw error;
    }
    if (await join(desk, channel)) {
      return work();
    }
    const me = await desk.directory.me();
    throw new ActivateError('TARGET_GONE', "The bot isn't in this channel.", {
      cause: error instanceof ActivateError ? error.cause : error,
      fix: `Type /invite @${me.username} in the channel.`,
    });
  }
}

async function join(desk: Desk, channel: string): Promise<boolean> {
  try {
    const me = await desk.directory.me();
    await desk.web.addToChannel(me.id, channel);
    return true;
  } catch (error) {
    desk.log.debug({ code: asActivateError(error).code, channel }, 'Channel could not be joined');
    return false;
  }
}

/** Replaces a post of the bot. What else it carries stays: the mark above all, that somebody may still look for. */
export async function editCard(desk: Desk, card: Card, posted: Posted): Promise<void> {
  const drawn = await drawFor(desk, card, { ...posted, post: posted.id });
  const before = await desk.web.getPost(posted.id);
  await desk.web.patchPost({
    id: posted.id,
    message: drawn.message,
    props: { ...before.props, attachments: drawn.attachments },
  });
}

/** The channel of a target: a person's is that of their direct messages. */
export async function channelOf(desk: Desk, to: Target): Promise<string> {
  return to.kind === 'person' ? desk.directory.directChannel(to.id) : to.id;
}
