import type { Block, Card } from '../../engine/contracts/card.ts';
import type { Attachment } from '../../engine/contracts/chat.ts';
import type { Db } from '../../engine/contracts/db.ts';
import type { Heard } from './heard.ts';
import { LIMITS } from './limits.ts';
import { keepFile } from './store.ts';

/** Cards are looked at again for weeks; whoever has the address has the picture, so it ends. */
const PICTURES_MS = 30 * 24 * 60 * 60_000;
const FILES_MS = 3 * 24 * 60 * 60_000;

/** Where things that can't be in a message are kept, and under which address they are had. */
export interface Shelf {
  /** An address per picture of the card, in their order; undefined for one that can't be shown. */
  pictures(card: Card): Promise<readonly (string | undefined)[]>;
  /** A file behind a link of the bot, as blocks to put under a message. Says so when it can't be had. */
  links(files: readonly Attachment[]): Promise<readonly Block[]>;
  /** A question whether a file may be put into the person's OneDrive: the only way for a bot to hand one over. */
  offer(file: Attachment): Promise<Heard>;
}

export function createShelf(config: {
  readonly db: Db;
  readonly publicUrl: string | undefined;
  readonly now: () => Date;
}): Shelf {
  const { db, now } = config;
  const base = config.publicUrl?.replace(/\/+$/, '');
  const until = (ms: number): Date => new Date(now().getTime() + ms);

  return {
    pictures: (card) =>
      Promise.all(
        card.blocks
          .filter((block): block is Extract<Block, { type: 'image' }> => block.type === 'image')
          .map(async ({ png, alt }) => {
            const bytes = await fittedPicture(png);
            if (bytes.byteLength <= LIMITS.inline) {
              return `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`;
            }
            if (base === undefined || bytes.byteLength > LIMITS.picture) {
              return undefined;
            }
            const file = { name: `${alt}.png`, type: 'image/png', bytes };
            return `${base}/teams/pictures/${await keepFile(db, 'picture', file, until(PICTURES_MS))}.png`;
          }),
      ),
    links: async (files) => {
      if (base === undefined) {
        return files.map(({ name }) => ({ type: 'context', text: [missing(name)] }));
      }
      const links = await Promise.all(
        files.map(async (file) => ({
          type: 'link' as const,
          label: `⬇ ${file.name} (${sizeOf(file)})`,
          url: `${base}/teams/files/${await keepFile(db, 'file', file, until(FILES_MS))}`,
        })),
      );
      return links.length === 0 ? [] : [{ type: 'actions', actions: links }];
    },
    offer: async (file) => {
      const token = await keepFile(db, 'file', file, until(FILES_MS));
      return {
        type: 'message',
        summary: `A file: ${file.name}`,
        attachments: [
          {
            contentType: 'application/vnd.microsoft.teams.card.file.consent',
            name: file.name,
            content: {
              description: `From Activate. It is put into your OneDrive when you accept.`,
              sizeInBytes: file.bytes.byteLength,
              acceptContext: { file: token },
              declineContext: { file: token },
            },
          },
        ],
      };
    },
  };
}

function missing(name: string): string {
  return `The file ${name} can't be handed over here: Teams takes files of a bot in its personal chat only. Set PUBLIC_URL to get a link to it.`;
}

function sizeOf({ bytes }: Attachment): string {
  const kb = bytes.byteLength / 1024;
  return kb < 1024 ? `${Math.max(1, Math.round(kb))} KB` : `${(kb / 1024).toFixed(1)} MB`;
}

/** The picture within the size that Teams shows. */
async function fittedPicture(png: Uint8Array): Promise<Uint8Array> {
  const { width, height } = sidesOf(png);
  if (Math.max(width, height) <= LIMITS.side) {
    return png;
  }
  const { Resvg } = await import('@resvg/resvg-js');
  const data = Buffer.from(png).toString('base64');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><image width="${width}" height="${height}" href="data:image/png;base64,${data}"/></svg>`;
  const mode = width >= height ? 'width' : 'height';
  return new Resvg(svg, { fitTo: { mode, value: LIMITS.side } }).render().asPng();
}

/** Width and height in pixels, as a PNG's first bytes say; 0 for what is no PNG. */
export function sidesOf(png: Uint8Array): { readonly width: number; readonly height: number } {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  return bytes.length < 24 || bytes.toString('latin1', 1, 4) !== 'PNG'
    ? { width: 0, height: 0 }
    : { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}
