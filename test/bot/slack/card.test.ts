import { expect, it } from 'vitest';
import { drawCard } from '../../../bot/slack/card.ts';
import { invocationOf } from '../../../bot/slack/receive.ts';
import type { Block, Card, Rich } from '../../../engine/contracts/card.ts';
import { faultsOf, type Json } from '../../fakes/slack/blocks.ts';

function card(...blocks: Block[]): Card {
  return { title: 'New account', blocks, fallback: 'New account' };
}

function mrkdwnOf(...text: Rich): string {
  const { payload } = drawCard({ ...card({ type: 'text', text }), title: '' });
  const [block] = payload.blocks;
  return block?.type === 'section' ? (block.text?.text ?? '') : '';
}

/** Every text in which Slack looks for control characters. */
function formatted(blocks: unknown): readonly string[] {
  if (typeof blocks !== 'object' || blocks === null) {
    return [];
  }
  const own = 'type' in blocks && blocks.type === 'mrkdwn' ? [String((blocks as Json)['text'])] : [];
  return [...own, ...Object.values(blocks).flatMap(formatted)];
}

const HOSTILE = [
  '<!channel> <@U1> <https://evil.example|click>',
  '*bold* _italic_ ~gone~ `code` ```block```',
  '> quoted\n> again',
  ':fire: & &amp; &lt;!here&gt;',
  'x'.repeat(10_000),
  '&'.repeat(4000),
  '👩‍👩‍👧‍👦'.repeat(700),
  'שלום *עולם* \u202Eevil\u202C',
  '',
  '\n\n\n',
];

it.each(HOSTILE)('draws hostile text within the limits, whatever the block: %.30s', (text) => {
  const { payload } = drawCard({
    title: text,
    fallback: text,
    blocks: [
      { type: 'text', text: [text, { type: 'bold', text: [text] }] },
      { type: 'context', text: [{ type: 'link', text: [text], url: 'https://a.example' }] },
      { type: 'heading', text: text || 'x' },
      { type: 'fields', items: [{ label: text || 'x', value: [text] }] },
      { type: 'table', columns: [text, 'b'], rows: [[text, text]], total: 1 },
      { type: 'code', text },
      {
        type: 'actions',
        actions: [{ type: 'button', label: text, run: { command: 'a', input: {} }, confirm: text || 'x' }],
      },
    ],
  });

  expect(faultsOf(payload.blocks, 'message')).toEqual([]);
  expect(payload.text).not.toMatch(/<[!@#]/);
  expect(formatted(payload.blocks).join()).not.toMatch(/<[!@#]/);
});

it('lets no row data form a mention, a link, formatting or an emoji', () => {
  expect(mrkdwnOf('<!channel> & <@U1>')).toBe('&lt;!channel&gt; &amp; &lt;@U1&gt;');
  expect(mrkdwnOf('*x* _y_ ~z~ `c`')).not.toMatch(/[*_~`]/);
  expect(mrkdwnOf('a :fire: b')).not.toContain(':fire:');
  expect(mrkdwnOf('> quoted')).not.toMatch(/^&gt;/);
});

it('leaves what is harmless as it is, so that it can be copied', () => {
  expect(mrkdwnOf('snake_case 2*3 12:30:45 arn:aws:s3 jo_smith@acme.com')).toBe(
    'snake_case 2*3 12:30:45 arn:aws:s3 jo_smith@acme.com',
  );
});

it('draws the formatting that the tree asks for', () => {
  const text = mrkdwnOf(
    { type: 'mention', name: 'Maya', person: { kind: 'person', platform: 'slack', id: 'U0MAYA' } },
    ' ',
    { type: 'bold', text: ['Acme *Inc* '] },
    'signed',
    { type: 'break' },
    { type: 'link', text: ['the | account'], url: 'https://crm.example/a|b' },
    ' ',
    { type: 'code', text: 'a`b' },
  );

  expect(text).toBe('<@U0MAYA> *Acme ∗Inc∗* signed\n<https://crm.example/a%7Cb|the ¦ account> `aˋb`');
});

it('sets formatting that touches a word apart from it', () => {
  expect(mrkdwnOf('pre', { type: 'bold', text: ['bold'] }, 'post')).toBe('pre\u200B*bold*\u200Bpost');
});

it.each(['U1> <!channel', 'local-7', ''])('names a person that Slack does not know: %s', (id) => {
  expect(mrkdwnOf({ type: 'mention', name: 'Sam', person: { kind: 'person', platform: 'slack', id } })).toBe(
    'Sam',
  );
});

it('mentions nobody of another platform and links to no script', () => {
  expect(
    mrkdwnOf({ type: 'mention', name: 'Sam', person: { kind: 'person', platform: 'local', id: 'U1' } }),
  ).toBe('Sam');
  expect(mrkdwnOf({ type: 'link', text: ['press'], url: 'javascript:alert(1)' })).toBe('press');
});

it('splits long text over blocks without losing any of it', () => {
  const words = Array.from({ length: 1200 }, (_, index) => `word${index}`).join(' ');

  const { payload, losses } = drawCard(card({ type: 'text', text: [words] }));

  const texts = payload.blocks.flatMap((block) => (block.type === 'section' ? [block.text?.text ?? ''] : []));
  expect(texts.length).toBeGreaterThan(2);
  expect(texts.join('')).toBe(words);
  expect(losses).toEqual([]);
});

it('aligns a table and says how much of it is shown', () => {
  const { payload } = drawCard(
    card({
      type: 'table',
      columns: ['name', 'seats'],
      rows: [
        ['Acme', '5'],
        ['東京', '12'],
      ],
      total: 431,
    }),
  );

  const [, table, note] = payload.blocks as unknown as Json[];
  expect(formatted(table)[0]).toBe('```\nname  seats\n────  ─────\nAcme      5\n東京     12\n```');
  expect(JSON.stringify(note)).toContain('2 of 431 rows');
});

it('keeps the buttons when there is too much to say, and names what was left out', () => {
  const texts = Array.from(
    { length: 70 },
    (_, index): Block => ({ type: 'text', text: [`${index} ${'y'.repeat(400)}`] }),
  );

  const { payload, losses } = drawCard(
    card(...texts, {
      type: 'actions',
      actions: [{ type: 'button', label: 'Claim', run: { command: 'claim', input: {} } }],
    }),
  );

  expect(faultsOf(payload.blocks, 'message')).toEqual([]);
  expect(payload.blocks.at(-1)?.type).toBe('actions');
  expect(losses.join()).toMatch(/\d+ of 72 parts were left out/);
});

it('leaves a button out, and says so, when Slack cannot carry what it runs', () => {
  const { payload, losses } = drawCard(
    card({
      type: 'actions',
      actions: [{ type: 'button', label: 'Big', run: { command: 'x', input: { a: 'a'.repeat(2001) } } }],
    }),
  );

  expect(payload.blocks).toHaveLength(1);
  expect(losses.join()).toContain('The button Big was left out');
});

it.each([{ days: '1' }, { days: '1', delivery: 'd'.repeat(90) }, { days: 'd'.repeat(90) }])(
  'a menu carries whole invocations: %o',
  (input) => {
    const options = ['a', 'b'].map((command) => ({ label: command, run: { command, input } }));

    const { payload } = drawCard(
      card({ type: 'actions', actions: [{ type: 'menu', label: 'Snooze', options }] }),
    );

    expect(faultsOf(payload.blocks, 'message')).toEqual([]);
    const [element] = (payload.blocks[1] as unknown as { elements: Json[] }).elements;
    const [option] = (element?.['options'] ?? []) as { value: string }[];
    const sent = {
      action_id: String(element?.['action_id']),
      value: String(element?.['value']),
      ...(option === undefined ? {} : { selected_option: option }),
    };
    expect(invocationOf(sent)).toEqual(options[0]?.run);
  },
);

it('cuts a long title at a whole character and names the loss', () => {
  const { payload, losses } = drawCard({ title: '🎉'.repeat(90), blocks: [], fallback: 'x', tone: 'good' });

  const [head] = payload.blocks as unknown as [{ text: { text: string } }];
  expect(head.text.text.length).toBeLessThanOrEqual(150);
  expect(head.text.text).not.toMatch(/[\uD800-\uDBFF]…$/);
  expect(losses).toEqual(['The title was cut to 150 characters.']);
});
