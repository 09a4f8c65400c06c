import { fileURLToPath } from 'node:url';
import express, { type RequestHandler } from 'express';

const own = fileURLToPath(new URL('./assets/', import.meta.url));
const idiomorph = fileURLToPath(import.meta.resolve('idiomorph'));

/** Serves the style sheet, the scripts and the one library that every page of ours uses. Mount it at `/assets`. */
export function assets(): RequestHandler {
  const router = express.Router();
  // no-cache: the browser asks each time and mostly hears "unchanged", so an update shows at once.
  const cached = {
    cacheControl: false,
    setHeaders: (res: express.Response) => res.set('Cache-Control', 'no-cache'),
  };
  router.get('/idiomorph.js', (_req, res) => res.sendFile(idiomorph, { cacheControl: false }));
  router.use(express.static(own, { ...cached, index: false, redirect: false }));
  return router;
}
