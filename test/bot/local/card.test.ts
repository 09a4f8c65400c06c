import { describe, expect, it } from 'vitest';
import { drawCard, mentionsOf } from '../../../bot/local/card.ts';
import type { Block, Card, Rich } from '../../../engine/contracts/card.ts';

const ada = { kind: 'person', platform: 'local', id: 'ada' } as const;
const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\0\u202E`;

function card(...blocks: Block[]): Card {
  return { title: 'Title', blocks, fallback: 'Fallback' };
}

function text(...parts: Rich): Block {
  return { type: 'text', text: parts };
}

describe('drawCard', () => {
  it('lets no value become markup, wherever it stands', () => {
    const everywhere: Card = {
      title: hostile,
      fallback: hostile,
      blocks: [
        text(hostile, { type: 'bold', text: [hostile] }, { type: 'code', text: hostile }),
        text({ type: 'mention', name: hostile, person: ada }, { type: 'mention', name: hostile }),
        text({ type: 'link', text: [hostile], url: `https://example.com/?q=${hostile}` }),
        { type: 'context', text: [hostile] },
        { type: 'heading', text: hostile },
        { type: 'fields', items: [{ label: hostile, value: [hostile] }] },
        { type: 'table', columns: [hostile], rows: [[hostile]], total: 1 },
        { type: 'code', text: hostile },
        { type: 'image', png: new Uint8Array([1, 2]), alt: hostile },
        {
          type: 'actions',
          actions: [
            {
              type: 'button',
              label: hostile,
              run: { command: 'x', input: { a: hostile } },
              confirm: hostile,
            },
            { type: 'menu', label: hostile, options: [{ label: hostile, run: { command: 'x', input: {} } }] },
            { type: 'link', label: hostile, url: 'https://example.com/' },
          ],
        },
      ],
    };

    const { payload } = drawCard(everywhere);

    expect(payload).not.toMatch(/<script|<img src=x|\0/);
    // The only quotes are those of our own attributes: taking out well-formed tags leaves none behind.
    expect(payload.replace(/<[a-z0-9/]+(\s[a-z-]+(="[^"<>]*")?)*\s*>/g, '')).not.toMatch(/[<>"]/);
    expect(payload.match(/&lt;script&gt;/g)?.length).toBeGreaterThan(14);
  });

  it.each([
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///x',
    '/relative',
    '',
  ])('draws a link to %j as text and says so', (url) => {
    const { payload, losses } = drawCard(card(text({ type: 'link', text: ['Open'], url })));

    expect(payload).toContain('Open');
    expect(payload).not.toContain('href');
    expect(losses).toEqual([
      `The link to "${url}" is shown as plain text: only http, https and mailto links are drawn.`,
    ]);
  });

  it('keeps all of a long text', () => {
    const { payload, losses } = drawCard(card(text('é'.repeat(10_000))));

    expect(payload).toContain('é'.repeat(10_000));
    expect(losses).toEqual([]);
  });

  it('says how many rows there are beside those shown, and what it cut itself', () => {
    const rows = Array.from({ length: 431 }, (_, at) => [`row ${at}`, String(at)]);

    const sample = drawCard(
      card({ type: 'table', columns: ['name', 'n'], rows: rows.slice(0, 20), total: 431 }),
    );
    const all = drawCard(card({ type: 'table', columns: ['name', 'n'], rows, total: 431 }));

    expect(sample.payload).toContain('<figcaption>20 of 431 rows</figcaption>');
    expect(sample.losses).toEqual([]);
    expect(all.payload).toContain('<figcaption>200 of 431 rows</figcaption>');
    expect(all.losses).toEqual(['231 rows of a table were left out.']);
  });

  it('makes a known person a mention, marks the viewer, and leaves anybody else as text', () => {
    const drawn = card(
      text({ type: 'mention', name: 'Ada', person: ada }, ' and ', { type: 'mention', name: 'Bob' }),
    );

    expect(drawCard(drawn, 'ada').payload).toContain('<span class="mention mention-own">@Ada</span> and Bob');
    expect(drawCard(drawn, 'eve').payload).toContain('<span class="mention">@Ada</span>');
    expect(mentionsOf(drawn)).toEqual(['ada']);
  });

  it('puts the whole invocation and the question on a button', () => {
    const run = { command: 'pause', input: { sync: '7' } };

    const { payload } = drawCard(
      card({
        type: 'actions',
        actions: [{ type: 'button', label: 'Pause', style: 'danger', run, confirm: 'Sure?' }],
      }),
    );

    expect(payload).toContain(
      'data-run="{&quot;command&quot;:&quot;pause&quot;,&quot;input&quot;:{&quot;sync&quot;:&quot;7&quot;}}"',
    );
    expect(payload).toContain('data-confirm="Sure?"');
    expect(payload).toContain('class="button danger"');
  });
});
