import { dispatchOf } from '../../bot/commands.ts';
import { createLocal } from '../../bot/local/platform.ts';
import { type App, boot } from '../../engine/boot.ts';
import { shortPlan } from '../../engine/cards/hold.ts';
import type { Sender } from '../../engine/contracts/chat.ts';
import type { Role } from '../../engine/contracts/command.ts';
import type { Db } from '../../engine/contracts/db.ts';
import type { PersonRef } from '../../engine/contracts/refs.ts';
import { parseEnv } from '../../engine/env.ts';
import type { ApprovalPolicy } from '../../engine/model/policy.ts';
import { type Hold, pendingHolds } from '../../engine/store/holds.ts';
import type { Sync } from '../../engine/store/syncs.ts';
import { silentLog } from '../support/log.ts';
import { memoryConnector } from '../support/memory.ts';
import { type Rig, startRig, text } from '../support/rig.ts';
import { policyWith } from './house.ts';

const roles = { ada: 'admin', erin: 'editor', ann: 'approver', bob: 'approver' } as const satisfies Record<
  string,
  Role
>;

export type Hand = keyof typeof roles;

/** A rig whose workers can die at any step, and an app on the same database in which people click. */
export interface Yard {
  readonly rig: Rig;
  readonly app: App;
  /** Sees to all holds, as a worker does about once a second. */
  tend(): Promise<void>;
  /** A sync of people whose numbers are these, held at each run unless said otherwise. */
  audience(numbers: readonly number[], policy?: Partial<ApprovalPolicy>): Promise<Sync>;
  /** A sync of records that mirrors rows of these numbers. */
  mirror(numbers: readonly number[], policy?: Partial<ApprovalPolicy>): Promise<Sync>;
  fill(numbers: readonly number[]): void;
  pending(sync: Sync): Promise<Hold | undefined>;
  /** Types a decision about a hold, and answers whether it was taken. */
  decides(who: Hand, hold: Hold, command?: 'approve' | 'reject'): Promise<boolean>;
  close(): Promise<void>;
}

export async function startYard(): Promise<Yard> {
  const senders = (db: Db): readonly Sender[] => [
    createLocal({
      db,
      log: silentLog,
      people: Object.keys(roles).map((id) => ({ id, name: id, email: `${id}@house.example` })),
      channels: [{ id: 'approvals', name: 'approvals' }],
    }),
  ];
  const rig = await startRig({ senders });
  const { world, db } = rig;
  const env = parseEnv({
    DATABASE_URL: rig.url,
    SECRET_KEY: 'k'.repeat(32),
    ACTIVATE_ADMINS: 'ada@house.example',
    LOG_LEVEL: 'silent',
  });
  const app = await boot(env, { connectors: [memoryConnector(world)], senders, log: silentLog });
  const dispatch = dispatchOf(app);
  for (const [who, role] of Object.entries(roles)) {
    const { id } = await app.identify(personOf(who));
    await db.query('update people set role = $2 where id = $1', [Number(id), role]);
  }
  const fill: Yard['fill'] = (numbers) => {
    world.rows = numbers.map((id) => [String(id), `p${id}@people.example`]);
  };
  const guarded = async (sync: Sync, policy: Partial<ApprovalPolicy>): Promise<Sync> => {
    const asks = JSON.stringify(policyWith({ ask: 'always', ...policy }));
    await db.query(`update syncs set policy = $2, report_to = 'local:approvals' where id = $1`, [
      sync.id,
      asks,
    ]);
    return sync;
  };
  const columns = [{ name: 'id', type: 'number', native: 'integer' } as const, text('email')];
  return {
    rig,
    app,
    fill,
    tend: () => app.services.approvals.tend(AbortSignal.timeout(20_000)),
    audience: async (numbers, policy = {}) => {
      const settings = { list: 'list', listName: 'List', identifiers: { EMAIL: 'email' } };
      const sync = await rig.sync('audiences', settings, { columns });
      fill(numbers);
      return guarded(sync, policy);
    },
    mirror: async (numbers, policy = {}) => {
      const field = (name: string) => ({ field: name, from: { type: 'column', column: name } });
      const settings = {
        object: 'thing',
        mode: 'mirror',
        match: ['id'],
        fields: [field('id'), field('email')],
      };
      const sync = await rig.sync('objects', settings, { columns });
      fill(numbers);
      return guarded(sync, policy);
    },
    pending: async (sync) => (await pendingHolds(db, sync.name))[0],
    decides: async (who, hold, command = 'approve') => {
      const input = { name: hold.subject, plan: shortPlan(hold.fingerprint), reason: 'No.' };
      const conversation = { kind: 'conversation', platform: 'local', id: 'approvals' } as const;
      await dispatch.run({ command, input }, { person: personOf(who), conversation });
      const [noted] = await db.query<{ outcome: string }>(
        'select outcome from audit where command = $1 order by id desc limit 1',
        [command],
      );
      return noted?.outcome === 'ok';
    },
    close: async () => {
      await app.close();
      await rig.close();
    },
  };
}

function personOf(id: string): PersonRef {
  return { kind: 'person', platform: 'local', id };
}
