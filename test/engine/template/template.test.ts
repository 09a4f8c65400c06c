import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plain } from '../../../engine/contracts/card.ts';
import type { Column } from '../../../engine/contracts/source.ts';
import { literal, parseMarkup } from '../../../engine/template/markup.ts';
import { compileTemplate } from '../../../engine/template/template.ts';

const columns: Column[] = [
  { name: 'workspace', type: 'text', native: 'text' },
  { name: 'seats', type: 'number', native: 'bigint' },
  { name: 'mrr', type: 'number', native: 'numeric' },
  { name: 'owner_email', type: 'text', native: 'text' },
  { name: 'trial', type: 'boolean', native: 'boolean' },
  { name: 'tags', type: 'json', native: 'jsonb' },
];

function render(
  source: string,
  row: Record<string, string | null>,
  previous: Record<string, string | null> = {},
) {
  return compileTemplate(source, columns).render({ row, previous, alert: { name: 'pql' }, change: 'added' });
}

describe('templates', () => {
  it('writes values, formatting and a mention', () => {
    const text = render('*{{ workspace }}* uses {{ seats | number }} seats, {{ owner_email | mention }}', {
      workspace: 'Acme',
      seats: '12000',
      owner_email: 'mia@example.com',
    });

    expect(text).toEqual([
      { type: 'bold', text: ['Acme'] },
      ' uses 12,000 seats, ',
      { type: 'mention', name: 'mia@example.com' },
    ]);
  });

  it('compares numbers as numbers, and keeps those exact that a double would change', () => {
    expect(plain(render('{% if seats > 90 %}many{% endif %} {{ seats }}', { seats: '150' }))).toBe(
      'many 150',
    );
    expect(plain(render('{{ seats }} {{ mrr }}', { seats: '9007199254740993', mrr: '12.50' }))).toBe(
      '9007199254740993 12.50',
    );
  });

  it('sees the row before the change', () => {
    expect(plain(render('{{ previous.seats }} to {{ seats }}', { seats: '5' }, { seats: '3' }))).toBe(
      '3 to 5',
    );
  });

  it('says which columns it reads', () => {
    const template = compileTemplate(
      '{{ workspace }}{% if previous.mrr %}{{ row["seats"] }}{% endif %}',
      columns,
    );

    expect([...template.columns].sort()).toEqual(['mrr', 'seats', 'workspace']);
  });

  it.each([
    ['{{ workspce }}', /no column "workspce".*/, 'Did you mean {{ workspace }}?'],
    ['{{ previous.seat }}', /no column "seat"/, 'Did you mean {{ previous.seats }}?'],
    ['{{ zzzzzz }}', /no column "zzzzzz"/, 'The columns are: workspace, seats'],
    ['{% for x in nothing %}{% endfor %}', /no column "nothing"/, 'The columns are'],
  ])('refuses %s and suggests what was meant', (source, message, fix) => {
    expect(() => compileTemplate(source, columns)).toThrow(
      expect.objectContaining({
        code: 'TEMPLATE_INVALID',
        message: expect.stringMatching(message),
        fix: expect.stringContaining(fix),
      }),
    );
  });

  it.each(['{{ workspace', '{% if %}', '{{ workspace | nosuchfilter }}', '{% include "/etc/passwd" %}'])(
    'refuses %s with a sentence',
    (source) => {
      expect(() => render(source, { workspace: 'x' })).toThrow(
        expect.objectContaining({ code: 'TEMPLATE_INVALID' }),
      );
    },
  );

  it('ends a template that loops', () => {
    const source = '{% for i in (1..100000) %}{% for j in (1..100000) %}x{% endfor %}{% endfor %}';

    expect(() => render(source, {})).toThrow(/does it loop\?/);
  });

  it('never lets a value become formatting, a link or a mention, whatever filters it passes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const shown = plain(render('<{{ workspace | append: "" }}>', { workspace: value }));
        const expected = `<${value.replaceAll(/\r\n?/g, '\n').replaceAll(/[\uE000\uE001]/g, '')}>`;
        expect(shown).toBe(expected);
      }),
    );
    for (const hostile of [
      '*x*',
      '_x_',
      '`x`',
      '[a](https://evil.example)',
      'https://evil.example',
      '\uE000a@b.c\uE001',
      '<!channel>',
    ]) {
      const text = render('{{ owner_email | mention | append: workspace }}', {
        workspace: hostile,
        owner_email: 'a@b.example',
      });
      expect(text.slice(1).every((part) => typeof part === 'string')).toBe(true);
    }
  });
});

describe('markup', () => {
  it('gives back any literal unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const clean = value.replaceAll(/[\uE000\uE001]/g, '').replaceAll(/\r\n?/g, '\n');
        expect(plain(parseMarkup(literal(value)))).toBe(clean);
      }),
    );
  });

  it('lets a value be part of a link, but not change where it leads', () => {
    expect(parseMarkup(`[open](https://app.example/w/${literal('42')})`)).toEqual([
      { type: 'link', text: ['open'], url: 'https://app.example/w/42' },
    ]);
    expect(parseMarkup(`[open](javascript:alert)`)).toEqual(['[open](javascript:alert)']);
    expect(parseMarkup(`https://app.example/${literal('a)b c')} now`)).toEqual([
      { type: 'link', text: ['https://app.example/a)b'], url: 'https://app.example/a)b' },
      ' c now',
    ]);
  });

  it('leaves marks alone that never close, and those within words', () => {
    expect(parseMarkup('2 * 3 * 4, snake_case_name and *open')).toEqual([
      '2 * 3 * 4, snake_case_name and *open',
    ]);
  });
});
