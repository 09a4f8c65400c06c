import { ActivateError } from '../contracts/errors.ts';
import type { Vault } from '../secrets.ts';

/** Who is to be taken off which list. */
export interface Leave {
  readonly address: string;
  readonly list: string;
}

/** Makes the addresses by which people take themselves off lists, and reads them. */
export interface UnsubscribeLinks {
  /** Undefined where nobody outside could reach it, because PUBLIC_URL is not set. */
  linkFor(leave: Leave): string | undefined;
  /** Undefined when this installation did not make it. */
  read(token: string): Leave | undefined;
}

const use = 'unsubscribe';

/**
 * A link holds its address and list encrypted: it needs no login and no row of ours, works for as long as SECRET_KEY
 * stays, tells nobody whose it is, and can't be made by anybody else.
 */
export function createUnsubscribeLinks(vault: Vault, publicUrl: string | undefined): UnsubscribeLinks {
  return {
    linkFor: ({ address, list }) => {
      if (publicUrl === undefined) {
        return undefined;
      }
      const token = Buffer.from(vault.seal({ use, address, list }), 'base64').toString('base64url');
      return new URL(`/unsubscribe/${token}`, publicUrl).href;
    },
    read: (token) => {
      try {
        const opened = vault.unseal(Buffer.from(token, 'base64url').toString('base64'));
        const { address, list } = opened;
        return opened['use'] === use && address !== undefined && list !== undefined
          ? { address, list }
          : undefined;
      } catch (thrown) {
        if (thrown instanceof ActivateError && thrown.code === 'CONFIG_INVALID') {
          return undefined;
        }
        throw thrown;
      }
    },
  };
}

/** What to say where there is no address that people outside reach. */
export const noPublicUrl = {
  message: 'Mails with a link to unsubscribe need an address of this bot that people outside reach.',
  fix: 'Set PUBLIC_URL, or say that these mails have no such link.',
} as const;
