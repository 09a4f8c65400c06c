import { context, count, heading, moment, text } from '../engine/cards/build.ts';
import { holdLine } from '../engine/cards/hold.ts';
import type { Block } from '../engine/contracts/card.ts';
import type { Hold } from '../engine/store/holds.ts';
import { defineCommand } from './define.ts';

const listed = 10;

export const approvals = defineCommand({
  name: 'approvals',
  title: 'Approvals',
  summary: 'Shows what waits for you, what waits for others, and what you asked for.',
  example: '/activate approvals',
  access: 'viewer',
  fields: {},
  run: async (_input, caller, services) => {
    const { mine, others } = await services.approvals.waiting(caller);
    const asked = await services.approvals.asked(caller);
    const blocks: readonly Block[] = [
      ...section('For you to decide', mine),
      ...section('For others', others),
      ...(asked.length === 0 ? [] : [heading('You asked for'), ...asked.map(askedLine)]),
    ];
    const fallback =
      mine.length === 0 ? 'Nothing waits for you.' : `${count(mine.length, 'approval')} for you`;
    const card = {
      title: 'Approvals',
      blocks: blocks.length === 0 ? [text('Nothing waits.')] : blocks,
      fallback,
    };
    const data = {
      waiting: [...mine, ...others].map(({ subject, fingerprint, about }) => ({
        subject,
        fingerprint,
        about,
      })),
    };
    return { kind: 'card', to: 'caller', card, data };
  },
});

function section(title: string, holds: readonly Hold[]): readonly Block[] {
  return holds.length === 0
    ? []
    : [
        heading(title),
        ...holds.slice(0, listed).flatMap(holdLine),
        ...(holds.length > listed ? [context(`${listed} of ${holds.length}`)] : []),
      ];
}

function askedLine({ subject, state, about, decidedBy, createdAt }: Hold): Block {
  const by = decidedBy === null ? '' : ` by ${decidedBy}`;
  return context(`${moment(createdAt, about.timeZone)} · ${subject} · ${about.sentence} · ${state}${by}`);
}
