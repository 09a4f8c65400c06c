import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ActivateError } from './contracts/errors.ts';

/** Keeps the secrets of connections: AES-256-GCM under one key. */
export interface Vault {
  seal(plain: Readonly<Record<string, string>>): string;
  /** Throws CONFIG_INVALID when the text was sealed with another key, or was changed. */
  unseal(sealed: string): Readonly<Record<string, string>>;
  /** An HMAC-SHA256 of the text under a key of its own, base64url. */
  sign(text: string): string;
  verify(text: string, signature: string): boolean;
}

export function createVault(secretKey: string): Vault {
  const key = createHash('sha256').update(`seal:${secretKey}`).digest();
  const signing = createHash('sha256').update(`sign:${secretKey}`).digest();
  const sign = (text: string): string => createHmac('sha256', signing).update(text).digest('base64url');
  return {
    seal: (plain) => {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const body = Buffer.concat([cipher.update(JSON.stringify(plain), 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64');
    },
    unseal: (sealed) => {
      try {
        const bytes = Buffer.from(sealed, 'base64');
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
        decipher.setAuthTag(bytes.subarray(12, 28));
        const plain = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
        return JSON.parse(plain.toString('utf8')) as Record<string, string>;
      } catch (cause) {
        throw new ActivateError(
          'CONFIG_INVALID',
          'A stored secret does not open with the present SECRET_KEY.',
          {
            cause,
            fix: 'Start with the SECRET_KEY it was stored under, or connect again.',
          },
        );
      }
    },
    sign,
    verify: (text, signature) => {
      const wanted = Buffer.from(sign(text));
      const given = Buffer.from(signature);
      return wanted.length === given.length && timingSafeEqual(wanted, given);
    },
  };
}

/** The key kept in the data folder, made on first use. */
export async function ownSecretKey(dir: string): Promise<string> {
  const file = join(dir, 'secret.key');
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept !== '') {
    return kept.trim();
  }
  await mkdir(dir, { recursive: true });
  const made = randomBytes(32).toString('hex');
  await writeFile(file, made, { mode: 0o600 });
  return made;
}
