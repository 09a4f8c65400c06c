import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Attachment, Message } from '../../engine/contracts/chat.ts';
import { asActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import { escapeText } from './text.ts';
import type { Web } from './web.ts';

/** Everything of a message that Slack takes as a file: its attachments, and the images of its card. */
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

/**
 * Uploads files into a conversation, below `thread` when it is given. The message they belong to is posted already,
 * so a file that fails is no reason to post again: it is logged and said in the thread.
 */
export async function shareFiles(
  web: Web,
  log: Log,
  files: readonly Attachment[],
  to: { readonly channel: string; readonly thread?: string },
): Promise<void> {
  for (const file of files) {
    try {
      await shareFile(web, file, to);
    } catch (error) {
      log.warn({ error, file: file.name, channel: to.channel }, 'File could not be shared');
      await sayMissing(web, log, file.name, asActivateError(error).message, to);
    }
  }
}

async function shareFile(
  web: Web,
  file: Attachment,
  to: { readonly channel: string; readonly thread?: string },
): Promise<void> {
  const place = await web.call<{ upload_url: string; file_id: string }>('files.getUploadURLExternal', {
    filename: file.name,
    length: file.bytes.byteLength,
  });
  await web.upload(place.upload_url, file.bytes);
  await web.call('files.completeUploadExternal', {
    files: [{ id: place.file_id, title: file.name }],
    channel_id: to.channel,
    thread_ts: to.thread,
  });
}

async function sayMissing(
  web: Web,
  log: Log,
  name: string,
  why: string,
  to: { readonly channel: string; readonly thread?: string },
): Promise<void> {
  try {
    await web.call('chat.postMessage', {
      channel: to.channel,
      thread_ts: to.thread,
      text: escapeText(`The file ${name} could not be attached. ${why}`),
    });
  } catch (error) {
    log.warn({ error, channel: to.channel }, 'Missing file could not be mentioned');
  }
}
