import { actions, button, text } from '../engine/cards/build.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import type { ApproverPlace, Services } from '../engine/services.ts';
import { defineCommand } from './define.ts';
import { matching } from './lookups.ts';
import { policyLookups } from './syncs/policy.ts';

export const approvers = defineCommand({
  name: 'approvers',
  title: 'Who decides where',
  summary: 'Names who decides about all that goes to a destination, or is asked in a channel.',
  example: '/activate approvers destination=crm who=mia@example.com',
  access: 'admin',
  fields: {
    destination: field.optional(
      field.lookup({ label: 'Destination', lookup: 'destinations', help: 'All that is written to it.' }),
    ),
    channel: field.optional(
      field.lookup({ label: 'Or a channel', lookup: 'channels', help: 'All that is asked there.' }),
    ),
    who: field.optional(
      field.lookups({
        label: 'Who decides',
        lookup: 'approvers',
        help: 'People or groups. Left empty, whoever has the role approver.',
      }),
    ),
  },
  lookups: {
    ...policyLookups,
    destinations: async (typed, _raw, _caller, services) =>
      matching(
        (await services.destinations.list()).map(({ record }) => record.name),
        typed,
      ),
    channels: (typed, _raw, caller, services) => services.places.search(typed, caller),
  },
  run: async ({ destination, channel, who = [] }, caller, services) => {
    const place = await placeOf(destination, channel, caller, services);
    const entries = await services.approvals.entries(who);
    await services.approvals.setApproversAt(place, entries, caller);
    const names = await services.approvals.namesOf(entries);
    const where = destination ?? channel ?? '';
    const said =
      names.length === 0
        ? `At ${where} whoever has the role approver decides.`
        : `At ${where} these decide, where a sync does not say so itself: ${names.join(', ')}.`;
    const card = {
      title: 'Who decides',
      tone: 'good',
      blocks: [text(said), actions(button('Approvals', 'approvals'))],
      fallback: said,
    } as const;
    return { kind: 'card', to: 'caller', card };
  },
});

async function placeOf(
  destination: string | undefined,
  channel: string | undefined,
  caller: Caller,
  services: Services,
): Promise<ApproverPlace> {
  if ((destination === undefined) === (channel === undefined)) {
    const sentence = 'Name a destination or a channel, one of them.';
    throw new ActivateError('INPUT_INVALID', sentence, { fields: { destination: sentence } });
  }
  return destination === undefined
    ? { kind: 'channel', target: await services.places.resolve(channel ?? '', caller) }
    : { kind: 'destination', name: destination };
}
