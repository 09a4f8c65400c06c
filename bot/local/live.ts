import type { Request, Response } from 'express';
import type { Change } from './store.ts';

const heartbeatMs = 25_000;

/** The open pages. Each hears that something changed where it may look, and fetches what it needs. */
export interface Live {
  /** Keeps a response open as an event stream for this person. */
  attach(req: Request, res: Response, person: string): void;
  tell(change: Change): void;
  /** Ends all streams; later ones end at once. */
  close(): void;
}

interface Page {
  readonly person: string;
  readonly res: Response;
}

/** Makes the list of open pages. */
export function createLive(): Live {
  const pages = new Set<Page>();
  let closed = false;
  return {
    attach(req, res, person) {
      res.set({
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      res.write('retry: 1000\n\nevent: hello\ndata: {}\n\n');
      if (closed) {
        res.end();
        return;
      }
      const page = { person, res };
      pages.add(page);
      // Proxies cut a connection that stays silent.
      const beat = setInterval(() => res.write(': still here\n\n'), heartbeatMs).unref();
      req.on('close', () => {
        clearInterval(beat);
        pages.delete(page);
      });
    },
    tell(change) {
      for (const { person, res } of pages) {
        if (change.person === undefined || change.person === person) {
          res.write(`event: changed\ndata: ${JSON.stringify({ conversation: change.conversation })}\n\n`);
        }
      }
    },
    close() {
      closed = true;
      for (const { res } of pages) {
        res.end();
      }
      pages.clear();
    },
  };
}
