import { actions, button, text } from '../engine/cards/build.ts';
import type { Caller } from '../engine/contracts/command.ts';
import { ActivateError } from '../engine/contracts/errors.ts';
import { field } from '../engine/contracts/form.ts';
import type { ApproverPlace, Services } from '../engine/services.ts';
import { defineCommand } from './define.ts';
import { matching } from './lookups.ts';
import { policyLookups } from './syncs/policy.ts';

const fields = {
  destination: field.optional(
    field.lookup({ label: 'Destination', lookup: 'destinations', help: 'For all that is written to it.' }),
  ),
  channel: field.optional(
    field.lookup({ label: 'Or a channel', lookup: 'channels', help: 'For all that is asked there.' }),
  ),
  who: field.optional(
    field.lookups({
      label: 'Who decides',
      lookup: 'approvers',
      help: 'People or groups, or "anybody" for whoever has the role approver. Empty: only says who decides.',
    }),
  ),
};

export const approvers = defineCommand({
  name: 'approvers',
  title: 'Who decides where',
  summary: 'Names who decides about all that goes to a destination, or is asked in a channel.',
  example: '/activate approvers destination=crm who=mia@example.com',
  access: 'admin',
  fields,
  lookups: {
    ...policyLookups,
    destinations: async (typed, _raw, _caller, services) =>
      matching(
        (await services.destinations.list()).map(({ record }) => record.name),
        typed,
      ),
    channels: (typed, _raw, caller, services) => services.places.search(typed, caller),
  },
  showsForm: true,
  run: async ({ destination, channel, who }, caller, services) => {
    const place = await placeOf(destination, channel, caller, services);
    if (who !== undefined) {
      const named = who.filter((one) => one !== anybody);
      await services.approvals.setApproversAt(place, await services.approvals.entries(named), caller);
    }
    const names = await services.approvals.namesOf(await services.approvals.approversAt(place));
    const where = destination ?? channel ?? '';
    const said =
      names.length === 0
        ? `At ${where} whoever has the role approver decides.`
        : `At ${where} these decide, where a sync does not say so itself: ${names.join(', ')}.`;
    const card = {
      title: 'Who decides',
      tone: who === undefined ? 'neutral' : 'good',
      blocks: [text(said), actions(button('Approvals', 'approvals'))],
      fallback: said,
    } as const;
    return { kind: 'card', to: 'caller', card };
  },
});

/** In place of people: nobody is named any more. */
const anybody = 'anybody';

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
