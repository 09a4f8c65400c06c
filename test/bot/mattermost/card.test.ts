import { expect, it } from 'vitest';
import { type Canvas, drawCard, type Press } from '../../../bot/mattermost/card.ts';
import { LIMITS, runes } from '../../../bot/mattermost/limits.ts';
import type { Block, Card, Rich } from '../../../engine/contracts/card.ts';
import { attachmentFaults, postRefusal } from '../../fakes/mattermost-checks.ts';
import type { Json } from '../../fakes/mattermost-state.ts';

const MAYA = 'maya1'.padEnd(26, '0');
const canvas: Canvas = {
  usernames: new Map([[MAYA, 'maya.ortiz']]),
  integration: (press: Press) => ({
    url: 'https://bot.example/mattermost/action',
    context: { token: JSON.stringify(press) },
  }),
};

function card(...blocks: Block[]): Card {
  return { title: 'New account', blocks, fallback: 'New account' };
}

function text(...rich: Rich): string {
  return drawCard({ ...card({ type: 'text', text: rich }), title: '' }, canvas).payload.message;
}

const GAP = '\u200B';

it.each([
  ['@channel and @here', `@${GAP}channel and @${GAP}here`],
  ['(@maya.ortiz) _@all', `(@${GAP}maya.ortiz) \\_@${GAP}all`],
  ['~town-square #deals', `~${GAP}town-square #${GAP}deals`],
  [':fire: :+1: :)', `:${GAP}fire: :${GAP}+1: :${GAP})`],
  ['https://evil.example', `https:${GAP}//evil.example`],
  ['www.evil.example evil.com/x', 'www\\.evil.example evil\\.com/x'],
  ['[click](https://evil.example)', `\\[click\\](https:${GAP}//evil.example)`],
  ['**bold** _it_ ~~gone~~ `code`', '\\*\\*bold\\*\\* \\_it\\_ \\~~\u200Bgone\\~\\~ \\`code\\`'],
  ['# heading\n> quoted\n- item\n1. one', '\\# heading\n\\> quoted\n\\- item\n1\\. one'],
  ['title\n===', `title\n${GAP}===`],
  ['    indented', '\u00A0\u00A0\u00A0\u00A0indented'],
  ['| a | b |\n|---|---|', '\\| a \\| b \\|\n\\|---\\|---\\|'],
  ['$12 and $15', '\\$12 and \\$15'],
  ['a \\ b', 'a \\\\ b'],
  ['<b> &lt;b&gt; <3', `<${GAP}b> &amp;lt;b&amp;gt; <${GAP}3`],
  ['mailto:a@b.example', `mailto:${GAP}a@b.example`],
])('lets no row data form anything: %s', (data, drawn) => {
  expect(text(data)).toBe(drawn);
});

it('puts nothing together out of two pieces of data', () => {
  expect(text('https:', '//evil.example')).toBe(`https:${GAP}//evil.example`);
});

it('leaves what is harmless as it is, so that it can be copied', () => {
  const words = 'snake_case 12:30:45 jo_smith@acme.com 2.5% a-b (c) 5 > 3';

  expect(text(words)).toBe(words);
});

it('draws the formatting that the tree asks for', () => {
  const drawn = text(
    { type: 'mention', name: 'Maya', person: { kind: 'person', platform: 'mattermost', id: MAYA } },
    ' ',
    { type: 'bold', text: ['Acme *Inc* '] },
    'signed',
    { type: 'break' },
    { type: 'link', text: ['the [account]'], url: 'https://crm.example/a(b) c' },
    ' ',
    { type: 'code', text: 'a`b' },
    ' ',
    { type: 'strike', text: ['old'] },
    'new',
  );

  expect(drawn).toBe(
    `@maya.ortiz **Acme ∗Inc∗** signed\n[the (account)](https://crm.example/a%28b%29%20c) \`\`a\`b\`\` ~~old~~${GAP}new`,
  );
});

it('mentions nobody whom Mattermost does not know, nobody of another platform, and links to no script', () => {
  const person = (platform: 'slack' | 'mattermost', id: string) =>
    text({ type: 'mention', name: '@here', person: { kind: 'person', platform, id } });

  expect(person('slack', MAYA)).toBe(`@${GAP}here`);
  expect(person('mattermost', 'nobody')).toBe(`@${GAP}here`);
  expect(text({ type: 'link', text: ['press'], url: 'javascript:alert(1)' })).toBe('press');
});

it('sets a mention apart from the word after it', () => {
  const maya = {
    type: 'mention',
    name: 'Maya',
    person: { kind: 'person', platform: 'mattermost', id: MAYA },
  } as const;

  expect(text('by', maya, '.x')).toBe(`by${GAP}@maya.ortiz${GAP}.x`);
});

it('shows code as it is, whatever it holds', () => {
  const { payload } = drawCard(card({ type: 'code', text: 'a\n```\n@channel' }), canvas);

  expect(payload.message).toBe('#### New account\n\n````\na\n```\n@channel\n````');
});

it('draws a table, numbers to the right, and says how much of it is shown', () => {
  const { payload } = drawCard(
    card({
      type: 'table',
      columns: ['name', 'seats'],
      rows: [
        ['Acme | *Inc*', '5'],
        ['東京\n@here', '-12'],
      ],
      total: 431,
    }),
    canvas,
  );

  expect(payload.message).toBe(
    [
      '#### New account',
      '',
      '| name | seats |',
      '|:---|---:|',
      '| Acme ¦ \\*Inc\\* | 5 |',
      `| 東京 @${GAP}here | \\-12 |`,
      '',
      '2 of 431 rows',
    ].join('\n'),
  );
});

it('draws fields, headings, notes and images in the message, and what follows a button below it', () => {
  const { payload } = drawCard(
    {
      title: 'Usage',
      tone: 'warning',
      fallback: 'Usage',
      blocks: [
        {
          type: 'fields',
          items: [
            { label: 'Plan', value: ['Pro'] },
            { label: 'Seats', value: ['5'] },
          ],
        },
        { type: 'heading', text: 'Why' },
        { type: 'image', png: new Uint8Array(), alt: 'A chart' },
        {
          type: 'actions',
          actions: [
            {
              type: 'button',
              label: 'Claim',
              style: 'primary',
              run: { command: 'claim', input: { id: '7' } },
            },
            { type: 'link', label: 'Open', url: 'https://crm.example' },
          ],
        },
        { type: 'context', text: ['From usage, every hour.'] },
      ],
    },
    canvas,
  );

  expect(payload.message).toBe('#### ⚠️ Usage\n\n**Plan:** Pro\n**Seats:** 5\n\n##### Why\n\n🖼️ A chart');
  expect(payload.attachments).toMatchObject([
    {
      color: '#FFBC1F',
      text: '[Open](https://crm.example)',
      actions: [{ id: 'a1', name: 'Claim', style: 'primary' }],
    },
    { text: 'From usage, every hour.' },
  ]);
});

it('a menu and a question carry whole invocations', () => {
  const options = ['a', 'b'].map((command) => ({
    label: command,
    run: { command, input: { d: 'd'.repeat(900) } },
  }));

  const { payload } = drawCard(
    card({
      type: 'actions',
      actions: [
        { type: 'menu', label: 'Snooze', options },
        { type: 'button', label: 'Stop', confirm: 'Really?', run: { command: 'stop', input: {} } },
      ],
    }),
    canvas,
  );

  const [menu, stop] = payload.attachments[0]?.actions ?? [];
  expect(menu).toMatchObject({
    id: 'a1',
    type: 'select',
    options: [
      { text: 'a', value: '0' },
      { text: 'b', value: '1' },
    ],
  });
  expect(JSON.parse(menu?.integration.context['token'] ?? '')).toMatchObject({
    runs: options.map(({ run }) => run),
  });
  expect(JSON.parse(stop?.integration.context['token'] ?? '')).toMatchObject({
    confirm: 'Really?',
    label: 'Stop',
  });
});

it('moves what does not fit into the message below it, and loses nothing', () => {
  const words = Array.from({ length: 4000 }, (_, index) => `word${index}`).join(' ');

  const { payload, losses } = drawCard(
    card({ type: 'text', text: ['short'] }, { type: 'text', text: [words] }),
    canvas,
  );

  expect(runes(payload.message)).toBeLessThan(100);
  expect(payload.attachments.map(({ text: part = '' }) => part.trim()).join(' ')).toBe(words);
  expect(payload.attachments.every(({ text: part = '' }) => runes(part) <= LIMITS.attachment)).toBe(true);
  expect(losses).toEqual([]);
});

it('keeps the buttons when there is far too much to say, and names what was left out', () => {
  const texts = Array.from({ length: 60 }, (): Block => ({ type: 'text', text: ['y'.repeat(15_000)] }));
  const claim = { type: 'button', label: 'Claim', run: { command: 'claim', input: {} } } as const;

  const { payload, losses } = drawCard(card(...texts, { type: 'actions', actions: [claim] }), canvas);

  const post = { message: payload.message, props: { attachments: payload.attachments } };
  expect(postRefusal(post as unknown as Json)).toBeUndefined();
  expect(payload.attachments.some(({ actions = [] }) => actions.length > 0)).toBe(true);
  expect(losses.join()).toMatch(/\d+ parts were left out/);
});

const HOSTILE = [
  '@channel @all <!channel> [x](https://evil.example)',
  '```\n```',
  '\\'.repeat(5000),
  '*_~`|#'.repeat(3000),
  '👩‍👩‍👧‍👦'.repeat(3000),
  'שלום *עולם* \u202Eevil\u202C',
  '',
  '\n\n\n',
];

it.each(HOSTILE)('draws hostile text within the limits, whatever the block: %.30s', (data) => {
  const { payload } = drawCard(
    {
      title: data,
      fallback: data,
      blocks: [
        { type: 'text', text: [data, { type: 'bold', text: [data] }] },
        { type: 'context', text: [{ type: 'link', text: [data], url: 'https://a.example' }] },
        { type: 'heading', text: data },
        { type: 'fields', items: [{ label: data, value: [data] }] },
        { type: 'table', columns: [data, 'b'], rows: [[data, data]], total: 1 },
        { type: 'code', text: data },
        {
          type: 'actions',
          actions: [
            { type: 'button', label: data, run: { command: 'a', input: {} }, confirm: data },
            { type: 'menu', label: data, options: [{ label: data, run: { command: 'a', input: {} } }] },
          ],
        },
      ],
    },
    canvas,
  );

  const post = { message: payload.message, props: { attachments: payload.attachments } };
  expect(postRefusal(post as unknown as Json)).toBeUndefined();
  expect(attachmentFaults(payload.attachments)).toEqual([]);
  const outsideCode = payload.message.replace(/(`{3,})\n[\s\S]*?\n\1/g, '');
  expect(outsideCode).not.toMatch(/@(channel|all)/);
});

it('cuts a long title at a whole character and names the loss', () => {
  const { payload, losses } = drawCard({ title: '🎉'.repeat(300), blocks: [], fallback: 'x' }, canvas);

  expect(payload.message).toBe(`#### ${'🎉'.repeat(249)}…`);
  expect(losses).toEqual(['The title was cut to 250 characters.']);
});
