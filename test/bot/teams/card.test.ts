import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pressedOf } from '../../../bot/teams/buttons.ts';
import { drawCard } from '../../../bot/teams/card.ts';
import { cut, LIMITS } from '../../../bot/teams/limits.ts';
import { escapeText } from '../../../bot/teams/text.ts';
import type { Block, Card, Rich } from '../../../engine/contracts/card.ts';
import type { PersonRef } from '../../../engine/contracts/refs.ts';
import { actionOf, cardFaults, every, type Json, textOf } from '../../fakes/teams-cards.ts';

const options = { buttons: { opensForm: () => false }, place: 'message' } as const;
const mayaRef: PersonRef = { kind: 'person', platform: 'teams', id: 'a-1' };

function card(...blocks: Block[]): Card {
  return { title: 'New account', blocks, fallback: 'New account' };
}

function draw(...blocks: Block[]) {
  return drawCard(card(...blocks), options);
}

function textBody(...text: Rich): readonly Json[] {
  const { payload } = drawCard({ ...card({ type: 'text', text }), title: '' }, options);
  return payload.body as unknown as Json[];
}

/** The Markdown of a line that mentions somebody. */
function markdownOf(...text: Rich): string {
  const mention = { type: 'mention', name: 'Maya', person: mayaRef } as const;
  return String(textBody(mention, ' ', ...text)[0]?.['text']).replace('<at>Maya</at> ', '');
}

const HOSTILE = [
  '<at>Maya</at> <at id="1">x</at> </at>',
  '**bold** _italic_ ~~gone~~ `code` ```block```',
  '[click](https://evil.example) ![x](https://evil.example/x.png) [a]: https://evil.example',
  '# heading\n- list\n1. first\n> quoted\n---',
  '{{DATE(2026-01-01T00:00:00Z, SHORT)}} {{name}} &lt;b&gt; &#42;',
  '<b>x</b> <img src=x onerror=alert(1)> <script>',
  'x'.repeat(50_000),
  '"\\\u0000\u0001'.repeat(3000),
  '👩‍👩‍👧‍👦'.repeat(3000),
  'שלום \u202Eevil\u202C',
  '',
  '\n\n\n',
];

it.each(HOSTILE)('draws hostile text within the limits, whatever the block: %.30s', (text) => {
  const { payload } = drawCard(
    {
      title: text,
      fallback: text,
      blocks: [
        {
          type: 'text',
          text: [text, { type: 'bold', text: [text] }, { type: 'mention', name: text, person: mayaRef }],
        },
        { type: 'context', text: [{ type: 'link', text: [text], url: 'https://a.example' }] },
        { type: 'heading', text: text || 'x' },
        { type: 'divider' },
        { type: 'fields', items: [{ label: text || 'x', value: [text] }] },
        { type: 'table', columns: [text, 'b'], rows: [[text, text]], total: 1 },
        { type: 'code', text },
        {
          type: 'actions',
          actions: [
            { type: 'button', label: text, run: { command: 'a', input: {} }, confirm: text || 'x' },
            { type: 'menu', label: text, options: [{ label: text, run: { command: 'a', input: {} } }] },
          ],
        },
      ],
    },
    options,
  );

  expect(cardFaults(payload)).toEqual([]);
  expect(JSON.stringify(payload).length).toBeLessThanOrEqual(LIMITS.card + 1000);
});

it('never mentions, formats or links what data says', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('**', '](', '<at>', '`', '_', '~~', '- ', '{{DATE('),
      (text, sign) => {
        const shown = escapeText(`${sign}${text}${sign}x${sign}`);

        expect(shown).not.toMatch(/<\/?at\b|\]\(|`|\{\{(DATE|TIME)\(|^\s*([#>+-]|\d+[.)])/m);
        expect(shown).not.toMatch(/(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])/u);
      },
    ),
  );
});

it('shows text that mentions nobody as it stands, without Markdown', () => {
  const [line] = textBody('**x** snake_case ', { type: 'bold', text: ['Acme *Inc*'] }, ' ', {
    type: 'code',
    text: 'a`b',
  });

  expect(line?.['type']).toBe('RichTextBlock');
  expect(line?.['inlines']).toEqual([
    { type: 'TextRun', text: '**x** snake_case ' },
    { type: 'TextRun', text: 'Acme *Inc*', weight: 'Bolder' },
    { type: 'TextRun', text: ' ' },
    { type: 'TextRun', text: 'a`b', fontType: 'Monospace' },
  ]);
});

it('mentions a person by an entity, and escapes the rest of the line', () => {
  const { payload } = draw({
    type: 'text',
    text: [
      { type: 'mention', name: 'Maya Ortiz', person: mayaRef },
      ' ',
      { type: 'bold', text: ['Acme *Inc* '] },
      'signed [x](y) <at>Maya Ortiz</at>',
      { type: 'break' },
      { type: 'link', text: ['the [account]'], url: 'https://crm.example/a(b)' },
    ],
  });

  const texts = every(payload).filter(({ type }) => type === 'TextBlock');
  expect(texts.at(-1)?.['text']).toBe(
    '<at>Maya Ortiz</at> **Acme ∗Inc∗** signed [x]\u200B(y) <\u200Bat>Maya Ortiz<\u200B/at>',
  );
  expect(payload.msteams.entities).toEqual([
    { type: 'mention', text: '<at>Maya Ortiz</at>', mentioned: { id: 'a-1', name: 'Maya Ortiz' } },
  ]);
  expect(JSON.stringify(payload.body)).toContain('"url":"https://crm.example/a(b)"');
});

it('tells two people of one name apart, and mentions one person twice as one', () => {
  const other = { ...mayaRef, id: 'a-2' };
  const { payload } = draw({
    type: 'text',
    text: [mayaRef, other, mayaRef].map((person) => ({ type: 'mention', name: 'Maya <x>', person }) as const),
  });

  expect(payload.msteams.entities?.map(({ text, mentioned }) => [text, mentioned.id])).toEqual([
    ['<at>Maya x</at>', 'a-1'],
    ['<at>Maya x (2)</at>', 'a-2'],
  ]);
});

it('mentions nobody of another platform and links to no script', () => {
  const slack = { kind: 'person', platform: 'slack', id: 'U1' } as const;

  expect(textBody({ type: 'mention', name: 'Sam', person: slack })[0]?.['type']).toBe('RichTextBlock');
  expect(
    JSON.stringify(textBody({ type: 'link', text: ['press'], url: 'javascript:alert(1)' })),
  ).not.toContain('javascript');
  expect(markdownOf({ type: 'link', text: ['press'], url: 'javascript:alert(1)' })).toBe('press');
});

it('sets formatting that touches a word apart from it', () => {
  expect(markdownOf('pre', { type: 'bold', text: ['bold'] }, 'post')).toBe('pre\u200A**bold**\u200Apost');
});

it('keeps lines, gaps and the spaces of code', () => {
  const lines = textBody('one\ntwo\n\nthree');
  const [box] = drawCard({ ...card({ type: 'code', text: 'select\n  1' }), title: '' }, options).payload.body;

  expect(lines.map(({ spacing, inlines }) => [spacing, (inlines as Json[])[0]?.['text']])).toEqual([
    [undefined, 'one'],
    ['None', 'two'],
    ['Medium', 'three'],
  ]);
  expect(textOf(box)).toBe('select\n\u00A0\u00A01');
});

it('draws a table with numbers at the right, and says how much of it is shown', () => {
  const rows = Array.from({ length: 30 }, (_, at) => [`Acme ${at}`, String(at * 1000)]);

  const { payload, losses } = draw({ type: 'table', columns: ['name', 'seats'], rows, total: 431 });

  const table = payload.body.find(({ type }) => type === 'Table') as unknown as {
    columns: Json[];
    rows: Json[];
  };
  expect(table.rows).toHaveLength(21);
  expect(table.columns.map((column) => column['horizontalCellContentAlignment'])).toEqual([
    undefined,
    'Right',
  ]);
  expect(textOf(payload)).toContain('20 of 431 rows');
  expect(payload.msteams.width).toBe('Full');
  expect(losses).toEqual(['A table shows 20 of 30 rows.']);
});

it('keeps the buttons when there is too much to say, and names what was left out', () => {
  const texts = Array.from(
    { length: 200 },
    (_, index): Block => ({ type: 'text', text: [`${index} ${'y'.repeat(400)}`] }),
  );

  const { payload, losses } = draw(...texts, {
    type: 'actions',
    actions: [{ type: 'button', label: 'Claim', run: { command: 'claim', input: {} } }],
  });

  expect(cardFaults(payload)).toEqual([]);
  expect(JSON.stringify(payload).length).toBeLessThan(LIMITS.card + 1000);
  expect(payload.body.at(-1)?.type).toBe('ActionSet');
  expect(textOf(payload)).toMatch(/… \d+ more parts did not fit/);
  expect(losses.join()).toMatch(/\d+ of 202 parts were left out/);
});

it('shortens a long box before it leaves it out', () => {
  const { payload } = draw({
    type: 'code',
    text: Array.from({ length: 2000 }, (_, at) => `line ${at}`).join('\n'),
  });

  expect(textOf(payload)).toContain('line 10\n');
  expect(textOf(payload)).toContain('… The rest did not fit into this message.');
});

it('draws six buttons a row, asks before a dangerous one, and folds a menu', () => {
  const run = (command: string) => ({ command, input: { id: '1' } });
  const { payload } = draw({
    type: 'actions',
    actions: [
      ...Array.from(
        { length: 8 },
        (_, at) => ({ type: 'button', label: `B${at}`, run: run(`b${at}`) }) as const,
      ),
      { type: 'button', label: 'Delete', style: 'danger', run: run('delete'), confirm: 'Really?' },
      { type: 'menu', label: 'Snooze', options: [{ label: '1 day', run: run('snooze') }] },
      { type: 'link', label: 'Docs', url: 'https://docs.example' },
      { type: 'link', label: 'Bad', url: 'javascript:1' },
    ],
  });

  expect(cardFaults(payload)).toEqual([]);
  expect(
    payload.body
      .filter(({ type }) => type === 'ActionSet')
      .map((set) => (set as unknown as { actions: Json[] }).actions.length),
  ).toEqual([6, 5]);
  expect(textOf(payload)).toContain('Really?');
  expect(pressedOf(actionOf(payload, 'Yes: Delete')['data'])).toEqual({ run: run('delete') });
  expect(pressedOf(actionOf(payload, '1 day')['data'])).toEqual({ run: run('snooze') });
  expect(actionOf(payload, 'B0')['fallback']).toMatchObject({ type: 'Action.Submit' });
});

it('opens a dialog by the press itself where a form may follow', () => {
  const drawn = drawCard(
    card({
      type: 'actions',
      actions: [{ type: 'button', label: 'Edit', run: { command: 'edit', input: {} } }],
    }),
    { ...options, buttons: { opensForm: ({ command }) => command === 'edit' } },
  );

  expect(actionOf(drawn.payload, 'Edit')).toMatchObject({
    type: 'Action.Submit',
    data: { msteams: { type: 'task/fetch' }, run: { command: 'edit' } },
  });
});

it('shows a picture that has an address, and says what one shows that has none', () => {
  const image = { type: 'image', png: new Uint8Array([1]), alt: 'A chart' } as const;

  const { payload, losses } = drawCard(card(image, image), {
    ...options,
    pictures: [undefined, 'https://a.example/p.png'],
  });

  expect(payload.body.map(({ type }) => type)).toEqual(['TextBlock', 'RichTextBlock', 'Image']);
  expect(losses).toEqual(['The picture "A chart" can\'t be shown.']);
});

it('leaves what is harmless as it is, so that it can be copied', () => {
  expect(escapeText('{{ name }} snake_case 2*3 12:30:45 arn:aws:s3 jo_smith@acme.com')).toBe(
    '{{ name }} snake_case 2*3 12:30:45 arn:aws:s3 jo_smith@acme.com',
  );
});

it('carries its mark where nobody sees it', () => {
  const { payload } = drawCard(card({ type: 'text', text: ['x'] }), { ...options, mark: 'm-1' });

  expect(payload.body[0]?.id).toBe('mark-m-1');
  expect(textOf(payload)).not.toContain('m-1');
});

it('cuts at a whole character', () => {
  expect(cut('🎉🎉🎉', 4)).toBe('🎉…');
});
