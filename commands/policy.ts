import { context, text } from '../engine/cards/build.ts';
import { detailCard } from '../engine/cards/show.ts';
import { field } from '../engine/contracts/form.ts';
import { policyWords } from '../engine/model/policy.ts';
import { at } from './alert-fields.ts';
import { defineCommand } from './define.ts';
import { syncs } from './lookups.ts';
import { rawOf } from './raw.ts';
import { answersOf, policyFields, policyLookups, policyOf, policySteps } from './syncs/policy.ts';

export const policy = defineCommand({
  name: 'policy',
  title: 'What is approved',
  summary: 'Says which runs of a sync have to be approved before they write, and by whom.',
  example: '/activate policy spring-buyers',
  access: 'editor',
  fields: { name: field.lookup({ label: 'Name', lookup: 'syncs' }), ...policyFields },
  positional: ['name'],
  lookups: { syncs, ...policyLookups },
  steps: policySteps.map((step) => ({
    ...step,
    required: ['ask'],
    prepare: async (raw, _caller, services) => {
      const now = await at('name', () => services.approvals.policy(raw['name'] ?? ''));
      const names = await services.approvals.namesOf(now.approvers);
      return {
        intro: [
          text(policyWords(now, names)),
          context('A sync that ever asks is protected: changing it, or this, waits for the same approval.'),
        ],
        initial: answersOf(now),
        submit: 'Next',
      };
    },
    check: async (raw, _caller, services) => {
      await policyOf(raw, await services.approvals.policy(raw['name'] ?? ''), services);
      return {};
    },
  })),
  run: async ({ name, ...given }, caller, services) => {
    const now = await services.approvals.policy(name);
    const changed = await services.approvals.setPolicy(
      name,
      await policyOf(rawOf(given), now, services),
      caller,
    );
    return { kind: 'card', to: 'caller', card: detailCard(changed, services.now()) };
  },
});
