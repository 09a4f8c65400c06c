import type { Action, Block, Card, Rendered, Tone } from '../../engine/contracts/card.ts';
import type { Invocation } from '../../engine/contracts/refs.ts';
import { cut, fitted, LIMITS, runes } from './limits.ts';
import { drawTable } from './table.ts';
import { drawRich, escapeText, fenced, mentioned, safeUrl, type Usernames } from './text.ts';

/** A post as the server takes it: Markdown, and attachments that hold what can be pressed. */
export interface Drawn {
  readonly message: string;
  readonly attachments: readonly Attachment[];
}

export interface Attachment {
  readonly fallback: string;
  readonly color: string;
  readonly text?: string;
  readonly actions?: readonly PostAction[];
}

export interface PostAction {
  /** Letters and digits only: anything else can't be pressed. */
  readonly id: string;
  readonly type: 'button' | 'select';
  readonly name: string;
  readonly style?: 'primary' | 'danger';
  readonly options?: readonly { readonly text: string; readonly value: string }[];
  readonly integration: { readonly url: string; readonly context: Readonly<Record<string, string>> };
}

/** What a press means: one invocation for a button, one per option for a menu. */
export interface Press {
  readonly label: string;
  readonly runs: readonly Invocation[];
  /** A question asked before it runs. */
  readonly confirm?: string;
}

/** What a drawing needs to know of the world. */
export interface Canvas {
  readonly usernames: Usernames;
  /** Where a press goes and what it brings back. */
  readonly integration: (press: Press) => PostAction['integration'];
}

const SIGNS: Readonly<Record<Tone, string>> = { neutral: '', good: '✅ ', warning: '⚠️ ', bad: '🔴 ' };
const COLORS: Readonly<Record<Tone, string>> = {
  neutral: '#8D93A5',
  good: '#3DB887',
  warning: '#FFBC1F',
  bad: '#D24B4E',
};

/** Draws a card as a post. Pure but for what `canvas` seals; every cut is named in `losses`. */
export function drawCard(card: Card, canvas: Canvas): Rendered<Drawn> {
  const losses: string[] = [];
  const title = fitted(card.title.replace(/\s+/g, ' ').trim(), LIMITS.heading, 'The title', losses);
  const head = title === '' ? [] : [`#### ${SIGNS[card.tone ?? 'neutral']}${escapeText(title)}`];
  const page = new Page();
  for (const text of head) {
    page.write(text);
  }
  for (const block of card.blocks) {
    drawBlock(block, canvas, page, losses);
  }
  const fallback = cut(escapeText(card.fallback || card.title), LIMITS.fallback);
  const color = COLORS[card.tone ?? 'neutral'];
  const attachments = page.attachments(losses).map(({ texts, actions }) => ({
    fallback,
    color,
    ...(texts.length === 0 ? {} : { text: texts.join('\n\n') }),
    ...(actions.length === 0 ? {} : { actions }),
  }));
  return { payload: { message: page.message || fallback, attachments }, losses };
}

/** Draws blocks as one text, as the introduction of a dialog. What can be pressed is left out. */
export function drawBlocks(blocks: readonly Block[], usernames: Usernames, losses: string[]): string {
  const texts = blocks.flatMap((block) =>
    block.type === 'actions' ? [] : textsOf(block, usernames, losses),
  );
  return texts.join('\n\n');
}

/** Ids of everybody whom these blocks mention. */
export function mentionedIn(blocks: readonly Block[]): readonly string[] {
  return blocks.flatMap((block) => {
    switch (block.type) {
      case 'text':
      case 'context':
        return mentioned(block.text);
      case 'fields':
        return block.items.flatMap((item) => mentioned(item.value));
      default:
        return [];
    }
  });
}

interface Part {
  readonly texts: string[];
  readonly actions: PostAction[];
}

/** Fills the message first; what follows the first thing that can be pressed, or does not fit, goes into attachments. */
class Page {
  message = '';
  private readonly parts: Part[] = [];
  private size = 0;
  private pressable = 0;

  write(text: string): void {
    const size = runes(text) + 2;
    if (this.parts.length === 0 && this.size + size <= LIMITS.message) {
      this.message += this.message === '' ? text : `\n\n${text}`;
      this.size += size;
      return;
    }
    for (const piece of split(text, LIMITS.attachment)) {
      const last = this.parts.at(-1);
      const open =
        last !== undefined &&
        last.actions.length === 0 &&
        runes(last.texts.join('\n\n')) + runes(piece) + 2 <= LIMITS.attachment;
      if (open) {
        last.texts.push(piece);
      } else {
        this.parts.push({ texts: [piece], actions: [] });
      }
    }
  }

  press(actions: readonly Omit<PostAction, 'id'>[], links: readonly string[]): void {
    const numbered = actions.map((action) => {
      this.pressable += 1;
      return { id: `a${this.pressable}`, ...action };
    });
    const last = this.parts.at(-1);
    const texts = links.length === 0 ? [] : [links.join(' · ')];
    if (last !== undefined && last.actions.length === 0) {
      last.texts.push(...texts);
      last.actions.push(...numbered);
    } else if (numbered.length + texts.length > 0) {
      this.parts.push({ texts, actions: numbered });
    }
  }

  /** Within the limits; what can be pressed is kept, the last of the rest goes first. */
  attachments(losses: string[]): readonly Part[] {
    const kept = [...this.parts];
    const room = (): boolean =>
      kept.length <= LIMITS.attachments &&
      kept.reduce((sum, part) => sum + runes(JSON.stringify(part)), 0) <= LIMITS.props;
    let dropped = 0;
    while (!room()) {
      const last = kept.findLastIndex((part) => part.actions.length === 0);
      kept.splice(last === -1 ? kept.length - 1 : last, 1);
      dropped += 1;
    }
    if (dropped > 0) {
      losses.push(`${dropped} parts were left out: the message was too long for Mattermost.`);
      kept.push({ texts: [`… ${dropped} more parts did not fit into this message.`], actions: [] });
    }
    return kept;
  }
}

/** A long text in pieces, cut between lines, or between words where a line is too long. */
function split(text: string, max: number): readonly string[] {
  const pieces: string[] = [];
  let rest = [...text];
  while (rest.length > max) {
    const start = rest.slice(0, max).join('');
    const line = start.lastIndexOf('\n');
    const at = line > 0 ? line : start.lastIndexOf(' ');
    // Never behind a backslash, which belongs to the sign after it.
    const piece = (at > 0 ? start.slice(0, at) : start).replace(/\\$/, '');
    pieces.push(piece);
    rest = rest.slice(runes(piece));
  }
  return [...pieces, rest.join('')].filter((piece) => piece.trim() !== '');
}

function drawBlock(block: Block, canvas: Canvas, page: Page, losses: string[]): void {
  if (block.type === 'actions') {
    const links = block.actions.flatMap((action) => linkOf(action, losses));
    page.press(
      block.actions.flatMap((action) => drawAction(action, canvas, losses)),
      links,
    );
    return;
  }
  for (const text of textsOf(block, canvas.usernames, losses)) {
    page.write(text);
  }
}

function textsOf(
  block: Exclude<Block, { type: 'actions' }>,
  usernames: Usernames,
  losses: string[],
): readonly string[] {
  switch (block.type) {
    case 'text':
    case 'context':
      return [drawRich(block.text, usernames)].filter((text) => text.trim() !== '');
    case 'heading':
      return [`##### ${escapeText(fitted(flat(block.text), LIMITS.heading, 'A heading', losses))}`];
    case 'divider':
      return ['---'];
    case 'fields':
      return [
        block.items
          .map(({ label, value }) =>
            drawRich([{ type: 'bold', text: [`${flat(label)}:`] }, ' ', ...value], usernames),
          )
          .join('\n'),
      ].filter((text) => text !== '');
    case 'table':
      return drawTable(block, losses);
    case 'code':
      return codeTexts(block.text);
    case 'image':
      return [`🖼️ ${escapeText(block.alt)}`];
    default:
      return block satisfies never;
  }
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Code over what a message holds goes on in a second block. */
function codeTexts(text: string): readonly string[] {
  if (text.trim() === '') {
    return [];
  }
  return split(text, LIMITS.attachment - 200).map(fenced);
}

function linkOf(action: Action, losses: string[]): readonly string[] {
  if (action.type !== 'link') {
    return [];
  }
  const url = safeUrl(action.url);
  if (url === undefined) {
    losses.push(`The link ${action.label} was left out: its address is none of the web.`);
    return [];
  }
  return [drawRich([{ type: 'link', text: [action.label], url }], new Map())];
}

function drawAction(action: Action, canvas: Canvas, losses: string[]): readonly Omit<PostAction, 'id'>[] {
  switch (action.type) {
    case 'button':
      return [
        {
          type: 'button',
          name: labelOf(action.label, losses),
          ...(action.style === undefined ? {} : { style: action.style }),
          integration: canvas.integration({
            label: action.label,
            runs: [action.run],
            ...(action.confirm === undefined ? {} : { confirm: action.confirm }),
          }),
        },
      ];
    case 'menu':
      return drawMenu(action, canvas, losses);
    case 'link':
      return [];
    default:
      return action satisfies never;
  }
}

function drawMenu(
  menu: Extract<Action, { type: 'menu' }>,
  canvas: Canvas,
  losses: string[],
): readonly Omit<PostAction, 'id'>[] {
  const shown = menu.options.slice(0, LIMITS.menuOptions);
  if (shown.length < menu.options.length) {
    losses.push(`${menu.label} shows ${shown.length} of ${menu.options.length} choices.`);
  }
  if (shown.length === 0) {
    return [];
  }
  return [
    {
      type: 'select',
      name: labelOf(menu.label, losses),
      options: shown.map((option, index) => ({
        text: fitted(flat(option.label) || '…', LIMITS.optionLabel, 'A choice', losses),
        value: String(index),
      })),
      integration: canvas.integration({ label: menu.label, runs: shown.map((option) => option.run) }),
    },
  ];
}

/** Names of buttons are drawn with emoji in them, which data must not bring. */
function labelOf(label: string, losses: string[]): string {
  const name = fitted(flat(label) || '…', LIMITS.button, `The label ${cut(label, 30)}`, losses);
  return name.replace(/:(?=[a-z0-9_+-]+:)/gi, ':\u200B');
}
