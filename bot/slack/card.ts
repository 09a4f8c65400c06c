import type { ActionsBlockElement, Confirm, KnownBlock, PlainTextElement } from '@slack/types';
import type { Action, Block, Card, Rendered, Rich, Tone } from '../../engine/contracts/card.ts';
import type { Invocation } from '../../engine/contracts/refs.ts';
import { cut, fitted, LIMITS } from './limits.ts';
import { drawTable } from './table.ts';
import { drawPieces, drawRich, escapeEntities, escapeText, join } from './text.ts';

/** What chat.postMessage takes of a card. */
export interface SlackMessage {
  readonly blocks: readonly KnownBlock[];
  readonly text: string;
}

const SIGNS: Readonly<Record<Tone, string>> = { neutral: '', good: '✅ ', warning: '⚠️ ', bad: '🔴 ' };

/** Draws a card as Block Kit. Pure; every cut is named in `losses`. */
export function drawCard(card: Card, maxBlocks: number = LIMITS.blocks): Rendered<SlackMessage> {
  const losses: string[] = [];
  const title = fitted(`${SIGNS[card.tone ?? 'neutral']}${card.title}`, LIMITS.header, 'The title', losses);
  const head: KnownBlock[] = title.trim() === '' ? [] : [{ type: 'header', text: plainText(title) }];
  const drawn = [...head, ...card.blocks.flatMap((block) => drawBlock(block, losses))];
  const blocks = numbered(within(drawn, maxBlocks, losses));
  const text = fitted(escapeText(card.fallback || card.title), LIMITS.fallback, 'The notification', losses);
  return { payload: { blocks, text }, losses };
}

/** Draws blocks alone, as the introduction of a form. */
export function drawBlocks(
  blocks: readonly Block[],
  maxBlocks: number,
  losses: string[],
): readonly KnownBlock[] {
  return numbered(
    within(
      blocks.flatMap((block) => drawBlock(block, losses)),
      maxBlocks,
      losses,
    ),
  );
}

/** A text that Slack shows as it stands. */
export function plainText(text: string): PlainTextElement {
  return { type: 'plain_text', text, emoji: false };
}

function mrkdwn(text: string) {
  // verbatim: bare addresses and channel names in data stay text.
  return { type: 'mrkdwn', text, verbatim: true } as const;
}

function drawBlock(block: Block, losses: string[]): readonly KnownBlock[] {
  switch (block.type) {
    case 'text':
      return sections(block.text);
    case 'context':
      return contexts(block.text);
    case 'heading':
      return [
        {
          type: 'section',
          text: mrkdwn(
            `*${fitted(drawRich([block.text]).replace(/\n/g, ' '), LIMITS.header, 'A heading', losses)}*`,
          ),
        },
      ];
    case 'divider':
      return [{ type: 'divider' }];
    case 'fields':
      return fieldSections(block.items, losses);
    case 'table':
      return drawTable(block, losses).map(({ text, note }) =>
        note ? { type: 'context', elements: [mrkdwn(text)] } : { type: 'section', text: mrkdwn(text) },
      );
    case 'code':
      return codeSections(block.text);
    case 'image':
      return contexts([`🖼️ ${block.alt}`]);
    case 'actions':
      return actionBlocks(block.actions, losses);
    default:
      return block satisfies never;
  }
}

/** Text over the limit goes on in the next block. */
function chunks(text: Rich, max: number): readonly string[] {
  const found: string[] = [];
  let pieces: string[] = [];
  let length = 0;
  // One character in hand per piece for the unseen space that `join` may add.
  for (const piece of drawPieces(text, max - 1)) {
    if (length + piece.length + 1 > max) {
      found.push(join(pieces));
      pieces = [];
      length = 0;
    }
    pieces.push(piece);
    length += piece.length + 1;
  }
  found.push(join(pieces));
  return found.filter((chunk) => chunk.trim() !== '');
}

function sections(text: Rich): readonly KnownBlock[] {
  return chunks(text, LIMITS.section).map((chunk) => ({ type: 'section', text: mrkdwn(chunk) }));
}

function contexts(text: Rich): readonly KnownBlock[] {
  return chunks(text, LIMITS.section).map((chunk) => ({ type: 'context', elements: [mrkdwn(chunk)] }));
}

function codeSections(text: string): readonly KnownBlock[] {
  const safe = escapeEntities(text.replace(/```/g, 'ˋˋˋ'));
  const lines = safe.match(/(?:&(?:amp|lt|gt);|[^\n]){1,500}\n?|\n/gu) ?? [];
  const blocks: KnownBlock[] = [];
  let code = '';
  for (const line of lines) {
    if (code.length + line.length > LIMITS.section - 8) {
      blocks.push({ type: 'section', text: mrkdwn(`\`\`\`${code}\`\`\``) });
      code = '';
    }
    code += line;
  }
  return code.trim() === '' ? blocks : [...blocks, { type: 'section', text: mrkdwn(`\`\`\`${code}\`\`\``) }];
}

function fieldSections(
  items: readonly { readonly label: string; readonly value: Rich }[],
  losses: string[],
): readonly KnownBlock[] {
  const fields = items.map(({ label, value }) => {
    const name = `*${cut(drawRich([label]).replace(/\n/g, ' '), 200)}*\n`;
    const [first = '—', ...more] = chunks(value, LIMITS.field - name.length - 1);
    if (more.length > 0) {
      losses.push(`The field ${label} was cut to ${LIMITS.field} characters.`);
    }
    return mrkdwn(more.length > 0 ? `${name}${first}…` : name + first);
  });
  return slices(fields, LIMITS.fields).map((some) => ({ type: 'section', fields: [...some] }));
}

function actionBlocks(actions: readonly Action[], losses: string[]): readonly KnownBlock[] {
  const elements = actions.flatMap((action) => drawAction(action, losses));
  return slices(elements, LIMITS.actions).map((some) => ({ type: 'actions', elements: [...some] }));
}

function drawAction(action: Action, losses: string[]): readonly ActionsBlockElement[] {
  switch (action.type) {
    case 'button':
      return button(action.label, action.run, losses, {
        ...(action.style === undefined ? {} : { style: action.style }),
        ...(action.confirm === undefined ? {} : { confirm: confirm(action.label, action.confirm, losses) }),
      });
    case 'menu':
      return drawMenu(action.label, action.options, losses);
    case 'link':
      if (!/^https?:\/\//i.test(action.url) || action.url.length > LIMITS.url) {
        losses.push(`The link ${action.label} was left out: Slack refuses its address.`);
        return [];
      }
      return [{ type: 'button', text: label(action.label, losses), url: action.url, action_id: 'link' }];
    default:
      return action satisfies never;
  }
}

function button(
  text: string,
  run: Invocation,
  losses: string[],
  more: { readonly style?: 'primary' | 'danger'; readonly confirm?: Confirm } = {},
): readonly ActionsBlockElement[] {
  const value = JSON.stringify(run);
  if (value.length > LIMITS.buttonValue) {
    losses.push(`The button ${text} was left out: what it carries is over ${LIMITS.buttonValue} characters.`);
    return [];
  }
  return [{ type: 'button', text: label(text, losses), value, action_id: 'run', ...more }];
}

function label(text: string, losses: string[]): PlainTextElement {
  // Buttons are the one place where people expect emoji names to work; but data may be in them, so they don't.
  return plainText(fitted(text.trim() || '…', LIMITS.button, `The label ${cut(text, 30)}`, losses));
}

function confirm(title: string, question: string, losses: string[]): Confirm {
  return {
    title: plainText(cut(title.trim() || 'Please confirm', LIMITS.confirmTitle)),
    text: plainText(fitted(question.trim() || 'Are you sure?', LIMITS.confirm, 'A question', losses)),
    confirm: plainText(cut(title.trim() || 'OK', 30)),
    deny: plainText('Cancel'),
  };
}

/**
 * A menu. Slack gives an option 75 characters of value, too few for most invocations: what all options share goes
 * into the action id. Where even that is not enough, the menu is drawn as buttons.
 */
function drawMenu(
  title: string,
  options: readonly { readonly label: string; readonly run: Invocation }[],
  losses: string[],
): readonly ActionsBlockElement[] {
  const shared = sharedInput(options.map((option) => option.run));
  const id = JSON.stringify(shared);
  const values = options.map(({ run }) => JSON.stringify(shortened(run, shared)));
  const fits =
    id.length <= LIMITS.actionId - 8 &&
    options.length <= LIMITS.options &&
    values.every((value) => value.length <= LIMITS.optionValue);
  if (!fits) {
    return options.flatMap((option) => button(option.label, option.run, losses));
  }
  if (options.length === 0) {
    return [];
  }
  return [
    {
      type: 'static_select',
      placeholder: plainText(fitted(title, LIMITS.placeholder, `The label ${cut(title, 30)}`, losses)),
      action_id: `pick:${id}`,
      options: options.map((option, index) => ({
        text: plainText(fitted(option.label, LIMITS.option, `The choice ${cut(option.label, 30)}`, losses)),
        value: values[index] ?? '',
      })),
    },
  ];
}

function sharedInput(runs: readonly Invocation[]): Record<string, string> {
  const [first, ...others] = runs;
  return Object.fromEntries(
    Object.entries(first?.input ?? {}).filter(([key, value]) =>
      others.every((run) => run.input[key] === value),
    ),
  );
}

function shortened(
  run: Invocation,
  shared: Record<string, string>,
): readonly [string, Record<string, string>] {
  return [run.command, Object.fromEntries(Object.entries(run.input).filter(([key]) => !(key in shared)))];
}

/** Blocks within Slack's limits. What people can press is kept; the last of the rest goes first. */
function within(blocks: readonly KnownBlock[], maxBlocks: number, losses: string[]): readonly KnownBlock[] {
  const room = (kept: readonly KnownBlock[]) =>
    kept.length <= maxBlocks && kept.reduce((sum, block) => sum + textLength(block), 0) <= LIMITS.messageText;
  if (room(blocks)) {
    return blocks;
  }
  const kept = [...blocks];
  let dropped = 0;
  // One block and 100 characters in hand for the note below.
  while (kept.length > 0 && !room([...kept, { type: 'context', elements: [mrkdwn('x'.repeat(100))] }])) {
    const last = kept.findLastIndex((block) => block.type !== 'actions');
    kept.splice(last === -1 ? kept.length - 1 : last, 1);
    dropped += 1;
  }
  losses.push(`${dropped} of ${blocks.length} parts were left out: the message was too long for Slack.`);
  const note: KnownBlock = {
    type: 'context',
    elements: [mrkdwn(`… ${dropped} more parts did not fit into this message.`)],
  };
  const tail = kept.findLastIndex((block) => block.type !== 'actions') + 1;
  return [...kept.slice(0, tail), note, ...kept.slice(tail)];
}

function textLength(block: KnownBlock): number {
  switch (block.type) {
    case 'header':
      return block.text.text.length;
    case 'section':
      return (
        (block.text?.text.length ?? 0) +
        (block.fields ?? []).reduce((sum, field) => sum + field.text.length, 0)
      );
    case 'context':
      return block.elements.reduce(
        (sum, element) => sum + ('text' in element ? (element.text?.length ?? 0) : 0),
        0,
      );
    default:
      return 0;
  }
}

/** Slack wants action ids to be unique within a block. */
function numbered(blocks: readonly KnownBlock[]): readonly KnownBlock[] {
  return blocks.map((block) =>
    block.type === 'actions'
      ? {
          ...block,
          elements: block.elements.map((element, index) => ({
            ...element,
            action_id:
              'action_id' in element && element.action_id?.startsWith('pick:')
                ? `${element.action_id}#${index}`
                : `act:${index}`,
          })),
        }
      : block,
  );
}

function slices<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
