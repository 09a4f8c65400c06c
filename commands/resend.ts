import { actions, button, count, text } from '../engine/cards/build.ts';
import { field } from '../engine/contracts/form.ts';
import { defineCommand } from './define.ts';
import { mailings } from './lookups.ts';

export const resend = defineCommand({
  name: 'resend',
  title: 'Send in doubt again',
  summary: 'Sends mails again of which nobody can say whether they arrived: who has got one gets it twice.',
  example: '/activate resend trial-ends key=42',
  access: 'approver',
  fields: {
    name: field.lookup({ label: 'Mailing', lookup: 'mailings' }),
    key: field.optional(
      field.text({ label: 'Key', help: 'Of one row; all that are in doubt when empty.', max: 300 }),
    ),
  },
  positional: ['name'],
  lookups: { mailings },
  run: async ({ name, key }, caller, services) => {
    const mails = await services.mail.resend(name, key);
    const said =
      mails === 0
        ? `No mail of ${name} is in doubt.`
        : `${caller.name} has ${count(mails, 'mail')} of ${name} sent again at the next run, with the Message-ID of before.`;
    const card = {
      title: mails === 0 ? 'Nothing is in doubt' : `${count(mails, 'mail')} to send again`,
      blocks: [
        text(said),
        actions(
          mails === 0 ? undefined : button('Run now', 'run', { name }, { style: 'primary' }),
          button('Show', 'show', { name }),
        ),
      ],
      fallback: said,
    };
    return { kind: 'card', to: 'caller', card };
  },
});
