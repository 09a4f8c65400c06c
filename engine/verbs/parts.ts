import type { Connections } from '../connections.ts';
import type { Sender } from '../contracts/chat.ts';
import type { Caller, Role } from '../contracts/command.ts';
import type { Connector } from '../contracts/connector.ts';
import type { Db } from '../contracts/db.ts';
import { ActivateError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import { formatTarget, type PlatformId } from '../contracts/refs.ts';
import type { DbtReader } from '../dbt/reader.ts';
import type { Rehearsal } from '../delivery/rehearsal.ts';
import type { Framework } from '../frameworks/framework.ts';
import type { UnsubscribeLinks } from '../mail/unsubscribe.ts';
import type { Outbox } from '../messages/outbox.ts';
import type { RunQueue } from '../queue.ts';
import type { Vault } from '../secrets.ts';
import type { People } from '../store/people.ts';
import type { FrameworkId } from '../store/syncs.ts';
import type { Told } from '../warehouse/index.ts';

/** What the verbs are made with. */
export interface VerbParts {
  readonly db: Db;
  readonly vault: Vault;
  readonly connections: Connections;
  readonly connectors: readonly Connector[];
  readonly senders: ReadonlyMap<PlatformId, Sender>;
  readonly people: People;
  readonly outbox: Outbox;
  readonly queue: Pick<RunQueue, 'add'>;
  readonly told: Told;
  readonly dbt: DbtReader;
  /** The frameworks, made to rehearse. */
  readonly frameworks: (rehearsal: Rehearsal) => ReadonlyMap<FrameworkId, Framework>;
  readonly publicUrl: string | undefined;
  readonly links: UnsubscribeLinks;
  /** The least role that may see personal data. */
  readonly personalDataRole: Role;
  readonly now: () => Date;
  readonly log: Log;
}

/** Questions that a person waits for. */
export const askLimits = { timeoutMs: 20_000 } as const;

/** The platform's speaking half; a sentence when it is not set up. */
export function senderOf(parts: Pick<VerbParts, 'senders'>, platform: PlatformId): Sender {
  const sender = parts.senders.get(platform);
  if (sender === undefined) {
    throw new ActivateError(
      'INPUT_INVALID',
      platform === 'cli' ? 'A terminal has no channels.' : `${platform} is not set up here.`,
      {
        fix:
          platform === 'cli'
            ? 'Do this from the chat, or name the channel in full, as slack:C024BE91L.'
            : 'Choose another platform.',
      },
    );
  }
  return sender;
}

/** The conversation that somebody speaks in, as it is kept; undefined for a terminal. */
export function here(by: Caller): string | undefined {
  return by.conversation.platform === 'cli' ? undefined : formatTarget(by.conversation);
}
