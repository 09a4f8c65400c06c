import type { Request, RequestHandler, Response } from 'express';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { plainPage } from './page.ts';

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Lets a request pass only when it names this machine or the public address (another name that points here is
 * how a foreign page would read ours), and lets a change pass only when a page of ours sent it.
 */
export function guard(publicUrl?: string): RequestHandler {
  const ours = publicUrl === undefined ? undefined : new URL(publicUrl).host.toLowerCase();
  return (req, res, next) => {
    secure(res);
    const host = (req.headers.host ?? '').toLowerCase();
    if (host !== ours && !loopback.has(host.replace(/:\d+$/, ''))) {
      refuse(res, 421, 'This address is not known here', [
        'Open Activate as http://localhost, or set PUBLIC_URL to the address that you use.',
      ]);
      return;
    }
    if (req.method !== 'GET' && req.method !== 'HEAD' && !sameOrigin(req, host)) {
      refuse(res, 403, 'This came from another site', ['Go back to Activate and do it there.']);
      return;
    }
    next();
  };
}

function refuse(res: Response, status: number, title: string, words: readonly string[]): void {
  res.status(status).type('html').send(plainPage(title, words));
}

/** Browsers send one of the two headers with every change; a request with neither is no page of ours. */
function sameOrigin(req: Request, host: string): boolean {
  const { origin } = req.headers;
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') {
    return false;
  }
  if (origin === undefined) {
    return site === 'same-origin';
  }
  return parsedUrl(origin) !== undefined && new URL(origin).host.toLowerCase() === host;
}

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers of every page: only our own scripts and styles run, nobody frames us. */
export function secure(res: Response): void {
  res.set({
    'Content-Security-Policy': policy,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  });
}
