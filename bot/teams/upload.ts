import type { Db } from '../../engine/contracts/db.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Log } from '../../engine/contracts/log.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import type { Adapter } from './adapter.ts';
import type { Heard } from './heard.ts';
import { originOf } from './read.ts';
import { dropFile, fileOf } from './store.ts';
import type { Talk } from './talk.ts';
import type { Web } from './web.ts';

/** Hands a file over once the person said yes to it. */
export interface Upload {
  consented(activity: Heard): Promise<void>;
}

interface Consent {
  readonly action?: string;
  readonly context?: { readonly file?: unknown };
  readonly uploadInfo?: {
    readonly uploadUrl?: string;
    readonly contentUrl?: string;
    readonly uniqueId?: string;
    readonly fileType?: string;
    readonly name?: string;
  };
}

export function createUpload(parts: {
  readonly db: Db;
  readonly adapter: Adapter;
  readonly web: Web;
  readonly talk: Talk;
  readonly log: Log;
  readonly now: () => Date;
}): Upload {
  const { db, adapter, web, talk, log, now } = parts;
  return {
    consented: async (activity) => {
      const value = activity.value as Consent | undefined;
      const token = value?.context?.file;
      const { conversation, message } = originOf(activity);
      const at = await talk.addressOf(conversation);
      if (typeof token !== 'string') {
        return;
      }
      try {
        const info = value?.action === 'accept' ? await upload(token, value, activity) : undefined;
        await dropFile(db, token);
        if (message !== undefined) {
          await adapter.remove(at, message.id);
        }
        if (info !== undefined) {
          await adapter.send(at, info);
        }
      } catch (error) {
        log.warn({ error }, 'File could not be handed over');
        const words = error instanceof ActivateError ? error.message : 'Something went wrong on the way.';
        const text = `The file could not be handed over. ${words}`;
        const card = { title: '', blocks: [{ type: 'text' as const, text: [text] }], fallback: text };
        await talk.post(conversation, { card });
      }
    },
  };

  async function upload(token: string, { uploadInfo }: Consent, activity: Heard): Promise<Heard> {
    const file = await fileOf(db, 'file', token, now());
    if (file === undefined) {
      throw new ActivateError('NOT_FOUND', 'It was kept for three days, or taken already. Ask for it again.');
    }
    const url = safeAddress(uploadInfo?.uploadUrl, activity.serviceUrl);
    const size = file.bytes.byteLength;
    await web.send(
      {
        method: 'PUT',
        url,
        headers: { 'content-type': file.type, 'content-range': `bytes 0-${size - 1}/${size}` },
        body: file.bytes,
      },
      'the upload of a file',
    );
    return {
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.teams.card.file.info',
          contentUrl: uploadInfo?.contentUrl ?? '',
          name: uploadInfo?.name ?? file.name,
          content: { uniqueId: uploadInfo?.uniqueId ?? '', fileType: uploadInfo?.fileType ?? '' },
        },
      ],
    };
  }
}

/** Files go to Microsoft's storage over HTTPS, or to the very service that the request was verified to be from. */
function safeAddress(url: string | undefined, serviceUrl: string | undefined): string {
  if (url !== undefined && parsedUrl(url) !== undefined) {
    const { protocol, origin } = new URL(url);
    if (protocol === 'https:' || (serviceUrl !== undefined && origin === new URL(serviceUrl).origin)) {
      return url;
    }
  }
  throw new ActivateError('INPUT_INVALID', 'Teams named no address that a file can go to.');
}
