import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { keyOf } from './settings.ts';

/** A request to a project's webhook, as it came in. Names of headers in small letters. */
export interface HookRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The very bytes: what is signed. */
  readonly body: Buffer;
}

/** Who sent it, and when, once that is proven; a sentence for the log otherwise. */
export type Proof =
  | { readonly ok: true; readonly by: 'platform' | 'ci' }
  | { readonly ok: false; readonly reason: string };

const platformMs = 10 * 60_000;
const standardMs = 5 * 60_000;

/**
 * Whether a request is signed with this secret and is not an old one played again. The dbt platform signs the body alone
 * and puts the time in it, so that only its time and its event's id tell a repeat; others sign as Standard Webhooks says.
 */
export function proofOf({ headers, body }: HookRequest, secret: string, now: Date): Proof {
  const key = keyOf(secret);
  return key === undefined
    ? platformProof(headers, body, secret, now)
    : standardProof(headers, body, key, now);
}

function platformProof(headers: HookRequest['headers'], body: Buffer, secret: string, now: Date): Proof {
  const wanted = createHmac('sha256', secret).update(body).digest();
  const given = Buffer.from(String(headers['authorization'] ?? '').trim(), 'hex');
  if (given.byteLength !== wanted.byteLength || !timingSafeEqual(given, wanted)) {
    return { ok: false, reason: 'the signature is missing or another' };
  }
  const at = Date.parse(timed.safeParse(jsonIn(body)).data?.timestamp ?? '');
  return isNear(at, now, platformMs) ? { ok: true, by: 'platform' } : { ok: false, reason: 'it is too old' };
}

function standardProof(headers: HookRequest['headers'], body: Buffer, key: Buffer, now: Date): Proof {
  const [id, at, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    String(headers[name] ?? ''),
  ) as [string, string, string];
  const wanted = createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest();
  const signed = signatures.split(' ').some((one) => {
    const given = Buffer.from(/^v1,(.+)$/.exec(one)?.[1] ?? '', 'base64');
    return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted);
  });
  if (id === '' || !signed) {
    return { ok: false, reason: 'the signature is missing or another' };
  }
  const seconds = /^\d{1,12}$/.test(at) ? Number(at) * 1000 : Number.NaN;
  return isNear(seconds, now, standardMs) ? { ok: true, by: 'ci' } : { ok: false, reason: 'it is too old' };
}

function isNear(at: number, now: Date, withinMs: number): boolean {
  return Math.abs(now.getTime() - at) <= withinMs;
}

const timed = z.looseObject({ timestamp: z.string() });

const word = z.union([z.string(), z.number()]).transform(String);

const platformEvent = z.looseObject({
  eventId: z.string().min(1),
  eventType: z.string(),
  data: z.looseObject({
    runId: word,
    jobId: word,
    environmentId: word.nullish(),
    runStatus: z.string().nullish(),
  }),
});
export type PlatformEvent = z.output<typeof platformEvent>;

/** What the dbt platform tells; undefined for what it does not look like. */
export function platformEventIn(body: Buffer): PlatformEvent | undefined {
  return platformEvent.safeParse(jsonIn(body)).data;
}

function jsonIn(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}
