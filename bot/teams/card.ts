import type { Block, Card, Rendered, Rich, Tone } from '../../engine/contracts/card.ts';
import { plain } from '../../engine/contracts/card.ts';
import { type Buttons, drawActions, type Place } from './buttons.ts';
import { type AdaptiveCard, type Colour, type Element, type RichText, SCHEMA } from './elements.ts';
import { cut, fitted, LIMITS } from './limits.ts';
import { drawTable, small } from './table.ts';
import { drawMarkdown, drawText, escapeText, Mentions } from './text.ts';

/** What a card is drawn for. */
export interface DrawOptions {
  readonly buttons: Pick<Buttons, 'opensForm'>;
  readonly place: Place;
  /** Addresses of the card's pictures, in their order; undefined for one that can't be shown. */
  readonly pictures?: readonly (string | undefined)[];
  /** Stored with the message, unseen, so that a later reader of the channel can tell whether it arrived. */
  readonly mark?: string;
  /** Set when viewers may be shown different buttons: under which name the card is kept for them. */
  readonly view?: string;
}

const SIGNS: Readonly<Record<Tone, string>> = { neutral: '', good: '✅ ', warning: '⚠️ ', bad: '🔴 ' };
const COLOURS: Readonly<Record<Tone, Colour>> = {
  neutral: 'Default',
  good: 'Good',
  warning: 'Warning',
  bad: 'Attention',
};

/** Draws a card as an Adaptive Card. Pure; every cut is named in `losses`. */
export function drawCard(card: Card, options: DrawOptions): Rendered<AdaptiveCard> {
  const losses: string[] = [];
  const mentions = new Mentions();
  const title = fitted(card.title.replace(/\s+/g, ' ').trim(), LIMITS.title, 'The title', losses);
  const tone = card.tone ?? 'neutral';
  const head: readonly Element[] =
    title === ''
      ? []
      : [
          {
            type: 'TextBlock',
            text: `${SIGNS[tone]}${escapeText(title)}`,
            wrap: true,
            style: 'heading',
            size: 'Medium',
            weight: 'Bolder',
            ...(tone === 'neutral' ? {} : { color: COLOURS[tone] }),
          },
        ];
  const body = [...head, ...drawBody(card.blocks, options, mentions, losses)];
  const marked = options.mark === undefined ? body : withMark(body, options.mark);
  const shown = within(marked, LIMITS.card, losses);
  return { payload: cardOf(shown, mentions, options.view), losses };
}

/** An Adaptive Card of this body. */
export function cardOf(body: readonly Element[], mentions?: Mentions, view?: string): AdaptiveCard {
  const text = JSON.stringify(body);
  const entities = mentions?.entities(text) ?? [];
  return {
    $schema: SCHEMA,
    type: 'AdaptiveCard',
    version: '1.5',
    body,
    ...(view === undefined
      ? {}
      : { refresh: { action: { type: 'Action.Execute', title: 'Refresh', verb: 'view', data: { view } } } }),
    msteams: {
      ...(body.some((element) => element.type === 'Table') ? { width: 'Full' } : {}),
      ...(entities.length === 0 ? {} : { entities }),
    },
  };
}

/** What a notification and the list of chats say of a card. */
export function summaryOf(card: Card): string {
  return cut((card.fallback || card.title).replace(/\s+/g, ' ').trim(), LIMITS.summary);
}

/** The elements of blocks, with a rule where a divider stands. */
export function drawBody(
  blocks: readonly Block[],
  options: DrawOptions,
  mentions: Mentions,
  losses: string[],
): readonly Element[] {
  const elements: Element[] = [];
  let ruled = false;
  let picture = 0;
  for (const block of blocks) {
    if (block.type === 'divider') {
      ruled = elements.length > 0;
      continue;
    }
    const url = block.type === 'image' ? options.pictures?.[picture] : undefined;
    picture += block.type === 'image' ? 1 : 0;
    const [first, ...rest] = drawBlock(block, url, options, mentions, losses);
    if (first !== undefined) {
      elements.push(ruled ? { ...first, separator: true, spacing: 'Medium' } : first, ...rest);
      ruled = false;
    }
  }
  return elements;
}

function drawBlock(
  block: Exclude<Block, { type: 'divider' }>,
  picture: string | undefined,
  options: DrawOptions,
  mentions: Mentions,
  losses: string[],
): readonly Element[] {
  switch (block.type) {
    case 'text':
      return drawText(block.text, {}, mentions);
    case 'context':
      return drawText(block.text, { subtle: true, size: 'Small' }, mentions);
    case 'heading': {
      const text = fitted(block.text.replace(/\s+/g, ' ').trim(), LIMITS.heading, 'A heading', losses);
      return drawText([text], { bold: true }, mentions).map((element) => ({ ...element, spacing: 'Medium' }));
    }
    case 'fields':
      return drawFields(block.items, mentions, losses);
    case 'table':
      return drawTable(block, losses);
    case 'code':
      return drawCode(block.text);
    case 'image':
      if (picture === undefined) {
        losses.push(`The picture "${block.alt}" can't be shown.`);
        return [small(`🖼️ ${block.alt}`)];
      }
      return [{ type: 'Image', url: picture, altText: block.alt }];
    case 'actions':
      return drawActions(block.actions, { buttons: options.buttons, place: options.place, losses });
    default:
      return block satisfies never;
  }
}

function drawFields(
  items: readonly { readonly label: string; readonly value: Rich }[],
  mentions: Mentions,
  losses: string[],
): readonly Element[] {
  if (items.length === 0) {
    return [];
  }
  const facts = items.map(({ label, value }) => ({
    title: escapeText(fitted(label.replace(/\s+/g, ' '), LIMITS.label, 'A label', losses)),
    value: drawMarkdown(value, mentions) || (plain(value).trim() === '' ? '—' : ''),
  }));
  return [{ type: 'FactSet', facts }];
}

/** Preformatted text: a line each, in a box, with the spaces at its beginning. */
function drawCode(text: string): readonly Element[] {
  const lines = text.replace(/\s+$/, '').split(/\r\n|\r|\n/);
  if (lines.every((line) => line === '')) {
    return [];
  }
  const items = lines.map(
    (line): RichText => ({
      type: 'RichTextBlock',
      spacing: 'None',
      inlines: [
        {
          type: 'TextRun',
          text: line === '' ? '\u00A0' : line.replaceAll('\t', '    ').replace(/ {2,}|^ /g, nonBreaking),
          fontType: 'Monospace',
          size: 'Small',
        },
      ],
    }),
  );
  return [{ type: 'Container', style: 'emphasis', items }];
}

function nonBreaking(spaces: string): string {
  return '\u00A0'.repeat(spaces.length);
}

/** The mark is the name of the first element: clients keep it and show it nowhere. */
function withMark(body: readonly Element[], mark: string): readonly Element[] {
  const [first, ...rest] = body.length === 0 ? [small('\u00A0')] : body;
  return first === undefined ? [] : [{ ...first, id: `mark-${mark}` } as Element, ...rest];
}

/** Elements within the size of a message. What people can press is kept; the last of the rest is shortened, then goes. */
export function within(body: readonly Element[], most: number, losses: string[]): readonly Element[] {
  const kept = body.map((element) => ({ element, size: sizeOf(element) }));
  let total = kept.reduce((sum, { size }) => sum + size, 0);
  if (total <= most) {
    return body;
  }
  // 200 characters in hand for the note below.
  const room = most - 200;
  let shortened = false;
  while (kept.length > 0 && total > room) {
    const at = kept.findLastIndex(({ element }) => element.type !== 'ActionSet');
    const [last] = kept.splice(at, 1);
    const shorter = last === undefined || at === -1 ? undefined : shorten(last.element, total - room);
    total -= last?.size ?? 0;
    if (shorter !== undefined && sizeOf(shorter) <= room - total) {
      kept.splice(at, 0, { element: shorter, size: sizeOf(shorter) });
      total += sizeOf(shorter);
      shortened = true;
    }
  }
  const dropped = body.length - kept.length;
  losses.push(`The card was too long for Teams: ${dropped} of ${body.length} parts were left out.`);
  const note =
    dropped === 0 && shortened
      ? '… The rest did not fit into this message.'
      : `… ${dropped} more parts did not fit into this message.`;
  const elements = kept.map(({ element }) => element);
  const tail = elements.findLastIndex((element) => element.type !== 'ActionSet') + 1;
  return [...elements.slice(0, tail), small(note), ...elements.slice(tail)];
}

/** Characters of an element in its list, the comma included. */
function sizeOf(element: Element): number {
  return JSON.stringify(element).length + 1;
}

/** A table, a box or a text by as much shorter; undefined when nothing worth showing would be left. */
function shorten(element: Element, by: number): Element | undefined {
  switch (element.type) {
    case 'Table': {
      const [head, ...rows] = element.rows;
      const kept = fewer(rows, by);
      return head === undefined || kept === undefined ? undefined : { ...element, rows: [head, ...kept] };
    }
    case 'Container': {
      const items = fewer(element.items, by);
      return items === undefined ? undefined : { ...element, items };
    }
    case 'FactSet': {
      const facts = fewer(element.facts, by);
      return facts === undefined ? undefined : { ...element, facts };
    }
    case 'RichTextBlock': {
      const [first] = element.inlines;
      const text = first?.text ?? '';
      const length = text.length - by - 1;
      return first === undefined || length < 80
        ? undefined
        : { ...element, inlines: [{ ...first, text: cut(text, length) }] };
    }
    default:
      return undefined;
  }
}

/** Without as many of the last ones as take up the size; undefined when none would be left, or when none had to go. */
function fewer<T>(items: readonly T[], by: number): readonly T[] | undefined {
  let freed = 0;
  let keep = items.length;
  while (keep > 0 && freed < by) {
    keep -= 1;
    freed += JSON.stringify(items[keep]).length + 1;
  }
  return keep === 0 || keep === items.length ? undefined : items.slice(0, keep);
}
