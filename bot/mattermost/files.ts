import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Attachment, Message } from '../../engine/contracts/chat.ts';
import { asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import { LIMITS } from './limits.ts';
import { escapeText } from './text.ts';

/** Everything of a message that is uploaded: its attachments, and the images of its card. */
export function filesOf(message: Message): readonly Attachment[] {
  return [...(message.files ?? []), ...imagesOf(message.card)];
}

function imagesOf(card: Card): readonly Attachment[] {
  const images = card.blocks.filter(
    (block): block is Extract<Block, { type: 'image' }> => block.type === 'image',
  );
  return images.map((image, index) => ({
    name: `image-${index + 1}.png`,
    type: 'image/png',
    bytes: image.png,
  }));
}

export interface Uploaded {
  /** In groups of as many as one post can carry. */
  readonly posts: readonly (readonly string[])[];
  /** Sentences about files that could not be uploaded. */
  readonly missing: readonly string[];
}

/**
 * Uploads files for posts to come. The message matters more than its files: one that fails is logged, and said beside
 * the message.
 */
export async function uploadAll(
  upload: (file: Attachment) => Promise<string>,
  log: Log,
  files: readonly Attachment[],
): Promise<Uploaded> {
  const ids: string[] = [];
  const missing: string[] = [];
  for (const file of files) {
    try {
      ids.push(await upload(file));
    } catch (error) {
      log.warn({ error, file: file.name }, 'File could not be uploaded');
      const why = asActivateError(error).message;
      missing.push(escapeText(`The file ${file.name} could not be attached. ${why}`));
    }
  }
  const posts = Array.from({ length: Math.ceil(ids.length / LIMITS.files) }, (_, at) =>
    ids.slice(at * LIMITS.files, (at + 1) * LIMITS.files),
  );
  return { posts, missing };
}
