import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** What a token is for; one made for a button is worth nothing in a dialog. */
export type Purpose = 'button' | 'dialog' | 'lookup';

/** Who is seen to bring a token back, and where. */
export interface Bearer {
  readonly person?: string | undefined;
  readonly channel?: string | undefined;
  readonly post?: string | undefined;
}

export type Opened =
  | { readonly state: 'ok'; readonly value: unknown; readonly id: string }
  /** Ours, but too old. */
  | { readonly state: 'expired' }
  /** Not ours, changed, or in other hands or another place than it was made for. */
  | { readonly state: 'forged' };

/**
 * Mattermost signs nothing of what it calls us with, so that what we give out comes back sealed: nobody can read it,
 * change it, use it elsewhere or use it for ever.
 */
export interface Seal {
  close(purpose: Purpose, value: unknown, boundTo: Bearer, livesForMs: number): string;
  open(purpose: Purpose, token: unknown, seen: Bearer): Opened;
}

interface Content {
  readonly until: number;
  readonly to: Bearer;
  readonly value: unknown;
}

/** AES-256-GCM under a key of its own; `now` is the clock that tokens age by. */
export function createSeal(secretKey: string, now: () => Date): Seal {
  const key = createHash('sha256').update(`mattermost:${secretKey}`).digest();
  return {
    close: (purpose, value, boundTo, livesForMs) => {
      const iv = randomBytes(12);
      const content: Content = { until: now().getTime() + livesForMs, to: boundTo, value };
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(purpose));
      const body = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
    },
    open: (purpose, token, seen) => {
      const content = typeof token === 'string' ? decrypt(key, purpose, token) : undefined;
      if (content === undefined || !mayBring(content.to, seen)) {
        return { state: 'forged' };
      }
      return content.until < now().getTime()
        ? { state: 'expired' }
        : { state: 'ok', value: content.value, id: String(token).slice(0, 16) };
    },
  };
}

function decrypt(key: Buffer, purpose: Purpose, token: string): Content | undefined {
  try {
    const bytes = Buffer.from(token, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(12, 28));
    const plain = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
    return JSON.parse(plain.toString('utf8')) as Content;
  } catch {
    // Not a token of ours: the caller refuses it.
    return undefined;
  }
}

function mayBring(to: Bearer, seen: Bearer): boolean {
  return (['person', 'channel', 'post'] as const).every(
    (name) => to[name] === undefined || to[name] === seen[name],
  );
}
