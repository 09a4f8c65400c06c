import express, {
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express';

/** What a request to a webhook is answered. */
export interface HookAnswer {
  readonly status: number;
  readonly sentence: string;
}

/** Takes what a webhook of this project was sent: the very bytes, since those are signed. */
export type Hear = (
  project: string,
  request: { readonly headers: Request['headers']; readonly body: Buffer },
) => Promise<HookAnswer>;

const mostBytes = 25 * 1024 * 1024;

/** Where runs of dbt are told, each project at its own path: `/dbt/<project>`. */
export function dbtHooks(hear: Hear): RequestHandler {
  const router = Router();
  const whole = express.raw({ type: () => true, limit: mostBytes, inflate: false });
  router.post('/dbt/:project', whole, async (req, res) => {
    // A body that is not there at all is no Buffer.
    const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
    const { status, sentence } = await hear(String(req.params['project']), { headers: req.headers, body });
    res.status(status).type('text/plain').send(`${sentence}\n`);
  });
  router.use((thrown: unknown, _req: Request, res: Response, next: NextFunction) => {
    const { type } = thrown as { readonly type?: string };
    if (type === 'entity.too.large') {
      res
        .status(413)
        .type('text/plain')
        .send('More than 25 MB. Send unique_id and status of the results alone, as the guide shows.\n');
      return;
    }
    next(thrown);
  });
  return router;
}
