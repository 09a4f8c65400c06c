import type { RequestHandler } from 'express';
import type { ChatPlatform } from '../engine/contracts/chat.ts';

/** A platform as the web process holds it: with what it wants to hear over HTTP, if anything. */
export interface Platform extends ChatPlatform {
  /** Mounted on the bot's one HTTP server below `path`, as it stands: no body has been read yet. */
  readonly routes?: { readonly path: string; readonly handler: RequestHandler };
}
