import type { Card } from '../../../engine/contracts/card.ts';
import type { Dispatch, Origin, Reply } from '../../../engine/contracts/chat.ts';
import { type Form, field } from '../../../engine/contracts/form.ts';
import type { Invocation, Raw } from '../../../engine/contracts/refs.ts';

const commands = [
  { value: 'new-alert', label: 'new-alert', hint: 'Tell somebody when a row appears.' },
  { value: 'new-source', label: 'new-source', hint: 'Connect a warehouse.' },
  { value: 'list', label: 'list', hint: 'Show all alerts and when they run next.' },
  { value: 'reports', label: 'reports', hint: 'Show which reports there are.' },
  { value: 'report', label: 'report', hint: 'Show how the last runs went.' },
  { value: 'help', label: 'help', hint: 'Explain what can be typed here.' },
];

const tables = ['public.accounts', 'public.deals', 'public.orders', 'public.order_items', 'public.users'];
const rows = Array.from({ length: 20 }, (_, at) => [
  `Account ${at + 1}`,
  ['Ada Okafor', 'Bo Lind', 'Chidi Rao'][at % 3] ?? '',
  String((at + 3) * 1250),
  `2026-03-${String((at % 28) + 1).padStart(2, '0')} 09:${String(at + 10)}:00+00`,
  ['new', 'negotiation', 'won'][at % 3] ?? '',
]);

/** A card with everything in it. */
export function alertCard(title: string, tone: Card['tone'] = 'good'): Card {
  return {
    title,
    tone: tone ?? 'neutral',
    fallback: `${title}: Northwind Traders, 48,000 EUR`,
    blocks: [
      {
        type: 'text',
        text: [
          { type: 'mention', name: 'Bo Lind', person: { kind: 'person', platform: 'local', id: 'bo' } },
          ', ',
          { type: 'bold', text: ['Northwind Traders'] },
          ' just signed. Their plan starts on Monday.',
        ],
      },
      {
        type: 'fields',
        items: [
          { label: 'Amount', value: ['48,000 EUR'] },
          { label: 'Stage', value: ['negotiation → won'] },
          { label: 'Owner', value: ['Bo Lind'] },
        ],
      },
      {
        type: 'actions',
        actions: [
          {
            type: 'button',
            label: 'Claim',
            style: 'primary',
            run: { command: 'claim', input: { key: '7' } },
          },
          {
            type: 'menu',
            label: 'Snooze',
            options: [
              { label: 'One day', run: { command: 'snooze', input: { days: '1' } } },
              { label: 'One week', run: { command: 'snooze', input: { days: '7' } } },
            ],
          },
          { type: 'link', label: 'Open in CRM', url: 'https://example.com/accounts/7' },
          {
            type: 'button',
            label: 'Mute',
            style: 'danger',
            run: { command: 'mute', input: {} },
            confirm: 'Mute this alert for everybody in the channel?',
          },
        ],
      },
      {
        type: 'context',
        text: [
          'From the alert ',
          { type: 'bold', text: ['Deals won'] },
          ', because a row appeared in ',
          { type: 'code', text: 'public.deals' },
        ],
      },
    ],
  };
}

function card(title: string, tone: NonNullable<Card['tone']>, ...words: string[]): Card {
  return { title, tone, fallback: title, blocks: words.map((text) => ({ type: 'text', text: [text] })) };
}

function reportCard(): Card {
  return {
    title: 'Deals of this quarter',
    fallback: 'Deals of this quarter, 431 rows',
    blocks: [
      { type: 'table', columns: ['account', 'owner', 'amount', 'created_at', 'stage'], rows, total: 431 },
      {
        type: 'code',
        text: "select account, owner, amount, created_at, stage\nfrom public.deals\nwhere created_at >= date_trunc('quarter', now())",
      },
    ],
  };
}

const first = {
  name: field.text({ label: 'Name', help: 'How people will call this alert.', placeholder: 'Deals won' }),
  table: field.lookup({
    label: 'Table',
    lookup: 'tables',
    help: 'Start typing: the tables you can read are offered.',
  }),
  watch: field.optional(field.lookups({ label: 'Columns to show', lookup: 'columns' })),
};
const second = {
  template: field.area({ label: 'Message', language: 'liquid', help: 'Columns go in double braces.' }),
  when: field.choice({ label: 'Check', of: { hour: 'Every hour', day: 'Every morning at 9' } }),
  most: field.optional(field.number({ label: 'At most', min: 1, whole: true })),
};

function wrong(input: Raw): Raw {
  return {
    ...((input['name'] ?? '') === '' ? { name: 'Fill this in.' } : {}),
    ...(tables.includes(input['table'] ?? '')
      ? {}
      : { table: `There is no table "${input['table']}". Did you mean public.deals?` }),
  };
}

/** A dispatcher of a dozen lines: enough of a house for a chat to be tried in. Keeps what it was asked. */
export function createDispatch(): Dispatch & {
  readonly asked: { run: Invocation; origin: Origin }[];
  /** What the command `slow` waits for. */
  slow: Promise<void>;
} {
  const asked: { run: Invocation; origin: Origin }[] = [];
  const drafts = new Map<string, Raw>();

  const step = (input: Raw, at: 1 | 2, errors: Raw, person: string): Form => ({
    command: 'new-alert',
    title: at === 1 ? 'New alert' : 'What it says',
    step: { number: at, of: 2 },
    intro:
      at === 1
        ? []
        : [
            {
              type: 'text',
              text: ['This is what ', { type: 'code', text: input['table'] ?? '' }, ' holds now:'],
            },
            {
              type: 'table',
              columns: ['account', 'owner', 'amount'],
              rows: rows.slice(0, 3).map((row) => row.slice(0, 3)),
              total: 431,
            },
          ],
    fields: at === 1 ? first : second,
    initial: {
      template: '{{ owner_email | mention }}, {{ account }} just signed.',
      when: 'hour',
      ...drafts.get(person),
      ...input,
    },
    errors,
    hidden: {
      ...(at === 2 ? { name: input['name'] ?? '', table: input['table'] ?? '' } : {}),
      step: String(at),
    },
    submit: at === 1 ? 'Next' : 'Create alert',
    ...(at === 2 ? { back: { step: '0' } } : {}),
  });

  const newAlert = (input: Raw, person: string): Reply => {
    drafts.set(person, { ...drafts.get(person), ...input });
    if (input['closed'] === 'true') {
      return { kind: 'done', note: 'Kept as a draft. Type /activate new-alert to go on.' };
    }
    if (input['step'] === undefined || input['step'] === '0') {
      return { kind: 'form', form: step(input, 1, {}, person) };
    }
    if (input['step'] === '1') {
      const errors = wrong(input);
      const at = Object.keys(errors).length > 0 ? 1 : 2;
      return { kind: 'form', form: step(input, at, errors, person) };
    }
    return { kind: 'card', card: alertCard(`${input['name']} is on`), to: 'conversation' };
  };

  const run = async (invocation: Invocation, origin: Origin): Promise<Reply> => {
    asked.push({ run: invocation, origin });
    const { command, input } = invocation;
    const name = origin.person.id;
    switch (command) {
      case 'new-alert':
        return newAlert(input, name);
      case 'slow':
        await house.slow;
        return { kind: 'done', note: 'That took a while.' };
      case 'claim':
        return {
          kind: 'card',
          to: 'pressed',
          card: card(`Claimed by ${name}`, 'good', 'Northwind Traders is in good hands.'),
        };
      case 'snooze':
        return {
          kind: 'card',
          to: 'pressed',
          card: card(`Snoozed for ${input['days']} days by ${name}`, 'neutral'),
        };
      case 'mute':
        return { kind: 'card', to: 'pressed', card: card(`Muted by ${name}`, 'warning') };
      case 'report':
        return {
          kind: 'card',
          to: 'conversation',
          card: reportCard(),
          files: [{ name: 'deals.csv', type: 'text/csv', bytes: Buffer.from('account\nNorthwind\n') }],
        };
      case 'new-source':
        return {
          kind: 'form',
          form: {
            command: 'save-source',
            title: 'New source',
            intro: [{ type: 'text', text: ['A role that can only read is best.'] }],
            fields: { host: field.text({ label: 'Host' }), password: field.secret({ label: 'Password' }) },
            initial: {},
            errors: {},
            hidden: {},
            submit: 'Connect',
          },
        };
      case 'save-source':
        return {
          kind: 'card',
          to: 'caller',
          card: card('warehouse is connected', 'good', 'It answers, and the role can only read.'),
        };
      case 'home':
        return {
          kind: 'card',
          to: 'caller',
          card: {
            title: 'Good morning',
            fallback: 'Home',
            blocks: [
              { type: 'text', text: ['Two alerts run for you. Nothing needs you now.'] },
              { type: 'heading', text: 'Your alerts' },
              {
                type: 'fields',
                items: [
                  { label: 'Deals won', value: ['every hour · #sales'] },
                  { label: 'Churn risk', value: ['every morning · you'] },
                ],
              },
              {
                type: 'actions',
                actions: [
                  {
                    type: 'button',
                    label: 'New alert',
                    style: 'primary',
                    run: { command: 'new-alert', input: {} },
                  },
                  { type: 'button', label: 'Report', run: { command: 'report', input: {} } },
                ],
              },
            ],
          },
        };
      default:
        return {
          kind: 'card',
          to: 'caller',
          card: card(`There is no command "${command}"`, 'bad', 'Type /activate help to see all of them.'),
        };
    }
  };

  const house: ReturnType<typeof createDispatch> = {
    asked,
    slow: Promise.resolve(),
    run,
    parse: (line) => ({ command: line.split(' ')[0] ?? '', input: {} }),
    typed: (line, origin) => run({ command: line.split(' ')[0] ?? '', input: {} }, origin),
    async options(_command, name, typed) {
      const all = name === 'table' ? tables : ['account', 'owner', 'amount', 'stage'];
      return all
        .filter((value) => value.includes(typed))
        .map((value) => ({ value, label: value, hint: '431 rows' }));
    },
    complete: async (line: string) => commands.filter((one) => one.value.startsWith(line)),
    mayOpenForm: () => true,
  };
  return house;
}
