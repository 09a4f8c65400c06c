import type { Action, Block, Card, Inline, Rich, Tone } from '../engine/contracts/card.ts';
import type { Fields, Form } from '../engine/contracts/form.ts';
import type { Invocation } from '../engine/contracts/refs.ts';

/** What a terminal can show. `width` in characters. */
export interface Screen {
  readonly color: boolean;
  readonly width: number;
}

const codes = { bold: 1, italic: 3, strike: 9, faint: 2, red: 31, green: 32, yellow: 33, blue: 34 } as const;
type Style = keyof typeof codes;

const tones: Readonly<Record<Tone, Style>> = {
  neutral: 'bold',
  good: 'green',
  warning: 'yellow',
  bad: 'red',
};
const widestCell = 40;

/** Draws a card for a terminal. Values can't move the cursor or do anything else: control characters are dropped. */
export function drawCard(card: Card, screen: Screen): string {
  const title = card.title === '' ? [] : [paint(clean(card.title), tones[card.tone ?? 'neutral'], screen)];
  return [...title, ...card.blocks.map((block) => drawBlock(block, screen))]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** What is wrong with an input, field by field, and how the command is used. */
export function drawMistakes(form: Form, mistakes: Readonly<Record<string, string>>, screen: Screen): string {
  const lines = Object.entries(mistakes).map(([name, sentence]) =>
    name === '' ? `  ${clean(sentence)}` : `  ${paint(name, 'bold', screen)}: ${clean(sentence)}`,
  );
  const head = paint(`${form.command} needs something else`, 'red', screen);
  return [head, ...lines, '', usage(form.command, form.fields)].join('\n');
}

/** The pattern of a command, as `activate run name=… [wait=true|false]`. */
export function usage(command: string, fields: Fields): string {
  const words = Object.entries(fields).map(([name, field]) => {
    const { widget } = field;
    const value = widget.type === 'choice' ? widget.options.map((option) => option.value).join('|') : '…';
    return field.optional ? `[${name}=${value}]` : `${name}=${value}`;
  });
  return ['Usage: activate', command, ...words].join(' ');
}

/** A command as it would be typed after `npx`. */
export function commandLine({ command, input }: Invocation): string {
  const words = Object.entries(input).map(([name, value]) => `${name}=${quoted(value)}`);
  return ['activate', command, ...words].join(' ');
}

function quoted(value: string): string {
  const text = clean(value);
  return /^[\w@:#./+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function drawBlock(block: Block, screen: Screen): string {
  switch (block.type) {
    case 'text':
      return drawRich(block.text, screen);
    case 'context':
      return paint(drawRich(block.text, { ...screen, color: false }), 'faint', screen);
    case 'heading':
      return paint(clean(block.text), 'bold', screen);
    case 'divider':
      return paint('─'.repeat(Math.min(screen.width, 60)), 'faint', screen);
    case 'fields':
      return drawFields(block, screen);
    case 'table':
      return drawTable(block, screen);
    case 'code':
      return clean(block.text)
        .split('\n')
        .map((line) => `    ${line}`)
        .join('\n');
    case 'image':
      return paint(`(A picture: ${clean(block.alt)})`, 'faint', screen);
    case 'actions':
      return block.actions.flatMap((action) => drawAction(action, screen)).join('\n');
    default:
      return block satisfies never;
  }
}

function drawRich(text: Rich, screen: Screen): string {
  return text.map((part) => drawInline(part, screen)).join('');
}

function drawInline(part: Inline, screen: Screen): string {
  if (typeof part === 'string') {
    return clean(part);
  }
  switch (part.type) {
    case 'bold':
    case 'italic':
    case 'strike':
      return paint(drawRich(part.text, screen), part.type, screen);
    case 'code':
      return paint(clean(part.text), 'blue', screen);
    case 'link':
      return `${drawRich(part.text, screen)} <${clean(part.url)}>`;
    case 'mention':
      return `@${clean(part.name)}`;
    case 'break':
      return '\n';
    default:
      return part satisfies never;
  }
}

function drawFields({ items }: Extract<Block, { type: 'fields' }>, screen: Screen): string {
  const width = Math.max(...items.map((item) => item.label.length), 0);
  return items
    .map((item) => {
      const label = paint(clean(item.label).padEnd(width), 'faint', screen);
      return `${label}  ${drawRich(item.value, screen).replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`;
    })
    .join('\n');
}

function drawTable({ columns, rows, total }: Extract<Block, { type: 'table' }>, screen: Screen): string {
  const cells = [columns, ...rows].map((row) => row.map((value) => cell(value)));
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const [head = '', ...body] = cells.map((row) =>
    row
      .map((value, at) => value.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const line = paint(widths.map((width) => '─'.repeat(width)).join('  '), 'faint', screen);
  const more =
    rows.length < total
      ? [paint(`${rows.length} of ${total.toLocaleString('en')} rows`, 'faint', screen)]
      : [];
  return [paint(head, 'bold', screen), line, ...body, ...more].join('\n');
}

/** One line of at most {@link widestCell} characters; what is cut ends in an ellipsis. */
function cell(value: string): string {
  const text = clean(value).replaceAll(/\s+/g, ' ');
  return text.length <= widestCell ? text : `${text.slice(0, widestCell - 1)}…`;
}

function drawAction(action: Action, screen: Screen): readonly string[] {
  const row = (label: string, what: string): string => `→ ${clean(label)}: ${paint(what, 'blue', screen)}`;
  switch (action.type) {
    case 'button':
      return [row(action.label, commandLine(action.run))];
    case 'menu':
      return action.options.map((option) => row(`${action.label} ${option.label}`, commandLine(option.run)));
    case 'link':
      return [row(action.label, clean(action.url))];
    default:
      return action satisfies never;
  }
}

function paint(text: string, style: Style, screen: Screen): string {
  return screen.color && text !== '' ? `\u001B[${codes[style]}m${text}\u001B[0m` : text;
}

/** Text without what a terminal would obey: escape sequences begin with a control character. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go.
  return text.replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '');
}
