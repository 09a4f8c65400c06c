import { randomUUID } from 'node:crypto';
import type { Caller } from '../contracts/command.ts';
import type { Db, Sql } from '../contracts/db.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Raw } from '../contracts/refs.ts';
import { type Difference, differences } from '../document/compare.ts';
import { type ApprovalPolicy, approvalPolicy, isProtected } from '../model/policy.ts';
import type { Vault } from '../secrets.ts';
import type { AlertDraft, SyncDraft } from '../services.ts';
import { actedBy, writeAudit } from '../store/audit.ts';
import { type ConnectionKind, connectionNamed } from '../store/connections.ts';
import { type Basis, type Hold, insertHold, notePerformed, votesOn } from '../store/holds.ts';
import { modelById } from '../store/models.ts';
import { type Sync, syncById } from '../store/syncs.ts';
import { changedSince, digest, fingerprintOf } from './basis.ts';
import { namesOf, objectionTo, placesFor, policiesOf, quorumOf } from './deciders.ts';
import { type DeskParts, tendHold } from './desk.ts';
import { auditDecision } from './end.ts';
import { timesOf } from './hold.ts';

/** A change of what an installation does, as it is kept until somebody approves it. */
export type Change =
  | { readonly kind: 'sync'; readonly name: string; readonly draft: SyncDraft }
  | { readonly kind: 'alert'; readonly name: string; readonly draft: AlertDraft }
  | { readonly kind: 'policy'; readonly name: string; readonly policy: ApprovalPolicy }
  | { readonly kind: 'delete'; readonly name: string }
  | {
      readonly kind: ConnectionKind;
      readonly name: string;
      readonly connector: string;
      readonly config: Raw;
    };

/** What a change is about. */
export interface Touched {
  /** The syncs whose runs would do something else after it. */
  readonly syncs: readonly Sync[];
  /** How it stands and how it is to be, as people write it, secrets left out; null for nothing. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Makes a change. `record` goes last into the transaction that makes it. */
export type Perform = (change: Change, by: Caller, record: (sql: Sql) => Promise<void>) => Promise<void>;

export interface GateParts extends DeskParts {
  readonly db: Db;
  readonly vault: Vault;
}

interface Kept {
  readonly change: Change;
  readonly by: Caller;
  readonly before: unknown;
  readonly after: unknown;
}

/** The one way by which settings change: what touches a protected sync waits for the approval that its runs wait for. */
export class ChangeGate {
  private readonly parts: GateParts;
  private readonly perform: Perform;

  constructor(parts: GateParts, perform: Perform) {
    this.parts = parts;
    this.perform = perform;
  }

  /** Makes a change at once, or throws AWAITS_APPROVAL once somebody was asked. Whoever may decide alone is not asked twice. */
  async pass(change: Change, touched: Touched, by: Caller): Promise<void> {
    const guarded = touched.syncs.filter((sync) => isProtected(approvalPolicy.parse(sync.policy)));
    const kept = { change, by, before: touched.before, after: touched.after };
    if (guarded.length === 0) {
      return this.perform(change, by, this.record(kept, 'made'));
    }
    const { parts } = this;
    const policies =
      (await policiesOf(
        parts.db,
        guarded.map(({ id }) => id),
      )) ?? [];
    if (
      quorumOf(policies) === 1 &&
      (await objectionTo(parts, aboutNothing(by), policies, by)) === undefined
    ) {
      return this.perform(change, by, this.record(kept, `made and approved by ${by.name}`));
    }
    const deciders = await this.ask(kept, guarded, policies);
    throw new ActivateError(
      'AWAITS_APPROVAL',
      `${sentenceOf(kept)} waits for approval. Nothing was changed yet.`,
      {
        fix: `May decide: ${deciders.join(', ') || 'any approver'}. You are told.`,
      },
    );
  }

  /**
   * Carries out an approved change, once, however many processes try. What keeps it from being made is said on its card;
   * it is not tried again.
   */
  async carryOut(hold: Hold): Promise<void> {
    const { db } = this.parts;
    try {
      const kept = this.open(hold);
      const agreed = (await votesOn(db, hold.id)).filter((vote) => vote.approves).map(({ person }) => person);
      const now = await basisOfChange(db, kept.change);
      const changed = now === undefined ? 'what it would change was deleted' : changedSince(hold, now);
      if (changed !== undefined) {
        throw new ActivateError('OUTDATED', `${changed[0]?.toUpperCase()}${changed.slice(1)}.`);
      }
      const record = this.record(kept, `made, approved by ${agreed.join(', ')}`);
      await this.perform(kept.change, kept.by, async (sql) => {
        // Part of what makes it: a process that dies right after has made it, and one that comes second makes nothing.
        if (!(await notePerformed(sql, hold.id, null))) {
          throw new ActivateError('EXISTS', 'It was made already.');
        }
        await record(sql);
      });
    } catch (thrown) {
      const error = asActivateError(thrown);
      if (error.retry !== 'never') {
        throw thrown;
      }
      await this.giveUp(hold, error);
    }
  }

  private async giveUp(hold: Hold, { message, fix }: ActivateError): Promise<void> {
    const trouble = `It could not be made: ${message}${fix === undefined ? '' : ` ${fix}`}`;
    await this.parts.db.transaction(async (sql) => {
      if (await notePerformed(sql, hold.id, trouble)) {
        await auditDecision(sql, hold, 'not made', null, trouble);
      }
    });
  }

  /** What a change would be made over, as it is now; undefined when that is gone. */
  async basis(sql: Sql, hold: Hold): Promise<Basis | undefined> {
    return basisOfChange(sql, this.open(hold).change);
  }

  private open(hold: Hold): Kept {
    return JSON.parse(this.parts.vault.unseal(hold.change ?? '')['change'] ?? 'null') as Kept;
  }

  private record({ change, by, before, after }: Kept, outcome: string): (sql: Sql) => Promise<void> {
    return (sql) =>
      writeAudit(sql, {
        at: new Date(),
        kind: 'change',
        ...actedBy(by),
        command: `change of ${change.kind === 'delete' ? 'sync' : change.kind}`,
        subject: change.name,
        input: {},
        before,
        after,
        outcome,
      });
  }

  /** Asks for approval; answers with who may give it. */
  private async ask(
    kept: Kept,
    guarded: readonly Sync[],
    policies: readonly ApprovalPolicy[],
  ): Promise<readonly string[]> {
    const { parts } = this;
    const { change, by } = kept;
    const id = randomUUID();
    const basis = (await basisOfChange(parts.db, change)) ?? {};
    const deciders = await namesOf(parts, [...new Set(policies.flatMap(({ approvers }) => approvers))]);
    const hold = {
      id,
      kind: 'change',
      subject: change.name,
      syncs: guarded.map(({ id }) => id),
      runId: null,
      change: parts.vault.seal({ change: JSON.stringify(kept) }),
      basis,
      fingerprint: fingerprintOf(basis, id),
      about: {
        sentence: sentenceOf(kept),
        reasons: reasonsOf(change, guarded),
        deciders,
        quorum: quorumOf(policies),
        timeZone: guarded[0]?.timeZone ?? by.timeZone,
        differences: shownDifferences(kept),
      },
      requestedBy: Number(by.id),
      requester: by.name,
      places: await placesFor(parts, guarded[0], policies),
      ...timesOf(
        policies.reduce(
          (a, b) => (a.expiresHours < b.expiresHours ? a : b),
          approvalPolicy.parse({ expiresHours: 720 }),
        ),
      ),
    } as const;
    await parts.db.transaction(async (sql) => {
      await insertHold(sql, hold);
      await auditDecision(sql, hold, 'asked', by, null);
    });
    await tendHold(parts, hold.id, AbortSignal.timeout(60_000)).catch((error: unknown) =>
      parts.log.warn({ hold: hold.id, error: String(error) }, 'an approval could not be asked for yet'),
    );
    return deciders;
  }
}

/** A hold that there is not, to ask whether somebody might decide about what they ask for themselves. */
export function aboutNothing(by: Caller): Pick<Hold, 'id' | 'requestedBy' | 'escalatedAt'> {
  return { id: '00000000-0000-0000-0000-000000000000', requestedBy: Number(by.id), escalatedAt: null };
}

function sentenceOf({ change, before }: Kept): string {
  switch (change.kind) {
    case 'sync':
    case 'alert':
      return before === null ? `Make ${change.name}` : `Change the settings of ${change.name}`;
    case 'policy':
      return `Change what of ${change.name} has to be approved`;
    case 'delete':
      return `Delete ${change.name}`;
    case 'source':
    case 'destination':
      return `Connect the ${change.kind} ${change.name} anew`;
    default:
      return change satisfies never;
  }
}

function reasonsOf({ name }: Change, guarded: readonly Sync[]): readonly string[] {
  const others = guarded.map((sync) => sync.name).filter((other) => other !== name);
  const own = guarded.some((sync) => sync.name === name);
  return [
    ...(own ? ['Its runs have to be approved, so that a change of it has to be, too.'] : []),
    ...(others.length > 0
      ? [`It changes what ${others.join(', ')} would do, whose runs have to be approved.`]
      : []),
  ];
}

function shownDifferences({ before, after }: Kept): readonly Difference[] {
  return before === null || after === null ? [] : differences(before, after);
}

/** All that a change would replace, as it is now, and the change itself. */
async function basisOfChange(sql: Sql, change: Change): Promise<Basis | undefined> {
  const before = await beforeOf(sql, change);
  return before === undefined ? undefined : { before: digest(before), change: digest(change) };
}

async function beforeOf(sql: Sql, change: Change): Promise<unknown> {
  switch (change.kind) {
    case 'source':
    case 'destination': {
      const { connector, config, secrets } = await connectionNamed(sql, change.kind, change.name);
      return [connector, config, secrets];
    }
    case 'sync':
    case 'alert':
    case 'policy':
    case 'delete': {
      const [found] = await sql.query<{ id: number }>('select id from syncs where name = $1', [change.name]);
      const sync = found === undefined ? undefined : await syncById(sql, found.id);
      if (sync === undefined) {
        return change.kind === 'sync' || change.kind === 'alert' ? ['nothing'] : undefined;
      }
      const { settings, policy, cron, timeZone, reportTo, destinationId, modelId } = sync;
      const { sql: query, key, sourceId } = await modelById(sql, modelId);
      return [settings, policy, cron, timeZone, reportTo, destinationId, query, key, sourceId];
    }
    default:
      return change satisfies never;
  }
}
