import { describe, expect, it } from 'vitest';
import { commandLine, drawCard, drawMistakes, usage } from '../../bot/terminal.ts';
import type { Block, Card } from '../../engine/contracts/card.ts';
import { field } from '../../engine/contracts/form.ts';

const plainScreen = { color: false, width: 80 };

function cardOf(...blocks: Block[]): Card {
  return { title: 'A card', blocks, fallback: 'A card' };
}

describe('drawCard', () => {
  it('draws every kind of block', () => {
    const text = drawCard(
      cardOf(
        {
          type: 'text',
          text: [
            'Hello ',
            { type: 'mention', name: 'Mia', person: { kind: 'person', platform: 'cli', id: 'mia' } },
            { type: 'break' },
            { type: 'link', text: ['the docs'], url: 'https://example.com/docs' },
            { type: 'bold', text: [' bold ', { type: 'code', text: 'code' }] },
          ],
        },
        { type: 'context', text: ['small print'] },
        { type: 'heading', text: 'A heading' },
        { type: 'divider' },
        {
          type: 'fields',
          items: [
            { label: 'Amount', value: ['48'] },
            { label: 'By', value: ['Bo'] },
          ],
        },
        {
          type: 'table',
          columns: ['id', 'name'],
          rows: [
            ['1', 'Ada'],
            ['20', 'x'.repeat(50)],
          ],
          total: 431,
        },
        { type: 'code', text: 'select 1\nfrom t' },
        { type: 'image', png: new Uint8Array(), alt: 'runs of a week' },
        {
          type: 'actions',
          actions: [
            { type: 'button', label: 'Run now', run: { command: 'run', input: { name: 'a b' } } },
            {
              type: 'menu',
              label: 'Snooze',
              options: [{ label: '1 hour', run: { command: 'snooze', input: { for: '1h' } } }],
            },
            { type: 'link', label: 'Open', url: 'https://example.com' },
          ],
        },
      ),
      plainScreen,
    );

    expect(text).toBe(
      [
        'A card',
        'Hello @Mia\nthe docs <https://example.com/docs> bold code',
        'small print',
        'A heading',
        '─'.repeat(60),
        'Amount  48\nBy      Bo',
        `id  name\n──  ${'─'.repeat(40)}\n1   Ada\n20  ${'x'.repeat(39)}…\n2 of 431 rows`,
        '    select 1\n    from t',
        '(A picture: runs of a week)',
        "→ Run now: activate run name='a b'\n→ Snooze 1 hour: activate snooze for=1h\n→ Open: https://example.com",
      ].join('\n\n'),
    );
  });

  it('lets no value speak to the terminal', () => {
    const text = drawCard(
      cardOf(
        { type: 'text', text: ['\u001B]0;owned\u0007 and \u009B2J'] },
        { type: 'table', columns: ['a'], rows: [['\u001B[31mred\r\nnext']], total: 1 },
        {
          type: 'actions',
          actions: [
            { type: 'button', label: 'x\u001B[1m', run: { command: 'run', input: { name: "\u001B'; rm" } } },
          ],
        },
      ),
      plainScreen,
    );

    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(text).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/);
    expect(text).toContain(String.raw`name=''\''; rm'`);
  });

  it('colors only where colors are wanted', () => {
    const card = cardOf({ type: 'text', text: [{ type: 'bold', text: ['x'] }] });

    expect(drawCard(card, { ...plainScreen, color: true })).toContain('\u001B[1mx\u001B[0m');
    expect(drawCard(card, plainScreen)).toBe('A card\n\nx');
  });
});

describe('usage', () => {
  it('says what has to be given, what may be, and among what to choose', () => {
    const fields = {
      name: field.text({ label: 'Name' }),
      wait: field.optional(field.choice({ label: 'Wait', of: { true: 'Yes', false: 'No' } })),
    };

    expect(usage('run', fields)).toBe('Usage: activate run name=… [wait=true|false]');
    expect(
      drawMistakes(
        {
          command: 'run',
          title: 'Run',
          intro: [],
          fields,
          initial: {},
          errors: {},
          hidden: {},
          submit: 'Go',
        },
        { name: 'Fill this in.', '': 'The whole is wrong.' },
        plainScreen,
      ),
    ).toBe(
      [
        'run needs something else',
        '  name: Fill this in.',
        '  The whole is wrong.',
        '',
        'Usage: activate run name=… [wait=true|false]',
      ].join('\n'),
    );
  });

  it('writes a button as a line that a shell reads the same way', () => {
    expect(commandLine({ command: 'sql', input: { query: "select 'a b'", source: 'w-1' } })).toBe(
      String.raw`activate sql query='select '\''a b'\''' source=w-1`,
    );
  });
});
