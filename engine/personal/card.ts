import type { Action, Block, Card, Inline, Rich } from '../contracts/card.ts';

/** A card with every text in it gone through. People whom the platform knows keep their names. */
export function maskCard(card: Card, mask: (text: string) => string): Card {
  return {
    ...card,
    title: mask(card.title),
    blocks: card.blocks.map((block) => maskBlock(block, mask)),
    fallback: mask(card.fallback),
  };
}

function maskBlock(block: Block, mask: (text: string) => string): Block {
  switch (block.type) {
    case 'text':
    case 'context':
      return { ...block, text: maskRich(block.text, mask) };
    case 'heading':
    case 'code':
      return { ...block, text: mask(block.text) };
    case 'fields':
      return {
        ...block,
        items: block.items.map(({ label, value }) => ({ label, value: maskRich(value, mask) })),
      };
    case 'table':
      return { ...block, rows: block.rows.map((row) => row.map(mask)) };
    case 'actions':
      return { ...block, actions: block.actions.map((action) => maskAction(action, mask)) };
    case 'image':
    case 'divider':
      return block;
    default:
      return block satisfies never;
  }
}

function maskAction(action: Action, mask: (text: string) => string): Action {
  return action.type === 'link' ? { ...action, label: mask(action.label), url: mask(action.url) } : action;
}

function maskRich(text: Rich, mask: (text: string) => string): Rich {
  return text.map((part): Inline => {
    if (typeof part === 'string') {
      return mask(part);
    }
    switch (part.type) {
      case 'bold':
      case 'italic':
      case 'strike':
        return { ...part, text: maskRich(part.text, mask) };
      case 'code':
        return { ...part, text: mask(part.text) };
      case 'link':
        return { ...part, text: maskRich(part.text, mask), url: mask(part.url) };
      case 'mention':
        return part.person === undefined ? { ...part, name: mask(part.name) } : part;
      case 'break':
        return part;
      default:
        return part satisfies never;
    }
  });
}
