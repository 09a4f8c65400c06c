import { ChangeGate, type Perform } from '../approvals/changes.ts';
import type { ApprovalPolicy } from '../model/policy.ts';
import { createPlans } from '../store/plans.ts';
import { setPolicy, syncNamed } from '../store/syncs.ts';
import { storeAlert } from './alert-changes.ts';
import { storeConnection } from './connections.ts';
import type { Examiner } from './examine.ts';
import type { VerbParts } from './parts.ts';
import { dropSync, storeSync } from './sync-changes.ts';

/** The gate, with what makes each kind of change behind it. */
export function createGate(parts: VerbParts, examiner: Examiner): ChangeGate {
  const perform: Perform = async (change, by, record) => {
    const { name } = change;
    switch (change.kind) {
      case 'sync':
        return storeSync(parts, examiner, { name, draft: change.draft, by }, record);
      case 'alert':
        return storeAlert(parts, examiner, { name, draft: change.draft, by }, record);
      case 'delete':
        return dropSync(parts, name, by, record);
      case 'policy':
        return storePolicy(parts, name, change.policy, record);
      case 'source':
      case 'destination':
        return storeConnection(parts, change, by, record);
      default:
        return change satisfies never;
    }
  };
  return new ChangeGate({ ...parts, plans: createPlans(parts.db) }, perform);
}

async function storePolicy(
  parts: VerbParts,
  name: string,
  policy: ApprovalPolicy,
  record: Parameters<Perform>[2],
): Promise<void> {
  const sync = await syncNamed(parts.db, name);
  await parts.db.transaction(async (sql) => {
    await setPolicy(sql, sync.id, policy);
    await record(sql);
  });
}
