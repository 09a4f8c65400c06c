import type { Action, Block, Card, Inline, Rendered, Rich } from '../../engine/contracts/card.ts';
import type { PersonRef } from '../../engine/contracts/refs.ts';
import { type Html, html, safeUrl } from './html.ts';

/** Rows of one table that are drawn; the number below it always tells how many there are. */
const MAX_ROWS = 200;

type Losses = string[];

/** Draws a card for whoever looks at it: a mention of `viewer` stands out. */
export function drawCard(card: Card, viewer?: string): Rendered<string> {
  const losses: Losses = [];
  const drawn = html`<article class="card tone-${card.tone ?? 'neutral'}" aria-label="${card.fallback}">
<h3 class="card-title">${card.title}</h3>
${drawAll(card.blocks, viewer, losses)}</article>`;
  return { payload: drawn.markup, losses };
}

/** Draws blocks without a card around them, as a form shows them above its fields. */
export function drawBlocks(blocks: readonly Block[], viewer?: string): Rendered<string> {
  const losses: Losses = [];
  return { payload: drawAll(blocks, viewer, losses).markup, losses };
}

/** The people of the local chat whom a card tags. */
export function mentionsOf(card: Card): readonly string[] {
  const found = new Set<string>();
  const look = (text: Rich): void => {
    for (const part of text) {
      if (typeof part === 'string' || part.type === 'break' || part.type === 'code') {
        continue;
      }
      if (part.type !== 'mention') {
        look(part.text);
      } else if (part.person?.platform === 'local') {
        found.add(part.person.id);
      }
    }
  };
  for (const block of card.blocks) {
    if (block.type === 'text' || block.type === 'context') {
      look(block.text);
    } else if (block.type === 'fields') {
      for (const item of block.items) {
        look(item.value);
      }
    }
  }
  return [...found];
}

function drawAll(blocks: readonly Block[], viewer: string | undefined, losses: Losses): Html {
  return html`${blocks.map((block) => drawBlock(block, viewer, losses))}`;
}

function drawBlock(block: Block, viewer: string | undefined, losses: Losses): Html {
  switch (block.type) {
    case 'text':
      return html`<div class="card-text">${drawRich(block.text, viewer, losses)}</div>\n`;
    case 'context':
      return html`<div class="card-context">${drawRich(block.text, viewer, losses)}</div>\n`;
    case 'heading':
      return html`<h4 class="card-heading">${block.text}</h4>\n`;
    case 'divider':
      return html`<hr class="card-divider">\n`;
    case 'fields':
      return html`<dl class="card-fields">${block.items.map(
        (item) => html`<div><dt>${item.label}</dt><dd>${drawRich(item.value, viewer, losses)}</dd></div>`,
      )}</dl>\n`;
    case 'table':
      return drawTable(block, losses);
    case 'code':
      return html`<pre class="card-code" tabindex="0"><code>${block.text}</code></pre>\n`;
    case 'image':
      return html`<img class="card-image" alt="${block.alt}" src="data:image/png;base64,${base64(block.png)}">\n`;
    case 'actions':
      return html`<div class="card-actions">${block.actions.map((action) => drawAction(action, losses))}</div>\n`;
    default:
      return block satisfies never;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function drawRich(text: Rich, viewer: string | undefined, losses: Losses): readonly Html[] {
  return text.map((part) => drawInline(part, viewer, losses));
}

function drawInline(part: Inline, viewer: string | undefined, losses: Losses): Html {
  if (typeof part === 'string') {
    return html`${part}`;
  }
  switch (part.type) {
    case 'bold':
      return html`<strong>${drawRich(part.text, viewer, losses)}</strong>`;
    case 'italic':
      return html`<em>${drawRich(part.text, viewer, losses)}</em>`;
    case 'strike':
      return html`<s>${drawRich(part.text, viewer, losses)}</s>`;
    case 'code':
      return html`<code>${part.text}</code>`;
    case 'link':
      return drawLink(part.url, drawRich(part.text, viewer, losses), '', losses);
    case 'mention':
      return drawMention(part.name, part.person, viewer);
    case 'break':
      return html`<br>`;
    default:
      return part satisfies never;
  }
}

function drawLink(url: string, label: string | readonly Html[], style: string, losses: Losses): Html {
  const safe = safeUrl(url);
  if (safe === undefined) {
    losses.push(`The link to "${url}" is shown as plain text: only http, https and mailto links are drawn.`);
    return html`${label}`;
  }
  return html`<a class="${style}" href="${safe}" target="_blank" rel="noopener noreferrer">${label}</a>`;
}

function drawMention(name: string, person: PersonRef | undefined, viewer: string | undefined): Html {
  if (person === undefined) {
    return html`${name}`;
  }
  const own = person.platform === 'local' && person.id === viewer;
  return html`<span class="mention${own && ' mention-own'}">@${name}</span>`;
}

const numeric = /^-?[\d.,\s]*\d%?$/;

function drawTable(table: Extract<Block, { type: 'table' }>, losses: Losses): Html {
  const rows = table.rows.slice(0, MAX_ROWS);
  if (rows.length < table.rows.length) {
    losses.push(`${table.rows.length - rows.length} rows of a table were left out.`);
  }
  const right = table.columns.map(
    (_, at) => rows.length > 0 && rows.every((row) => numeric.test(row[at] ?? '')),
  );
  const style = (at: number): string => (right[at] === true ? 'number' : '');
  const count =
    rows.length < table.total
      ? `${rows.length} of ${table.total.toLocaleString('en')}`
      : table.total.toLocaleString('en');
  return html`<figure class="card-table"><div class="scroll" tabindex="0" role="group" aria-label="Table, ${count} rows">
<table><thead><tr>${table.columns.map((name, at) => html`<th scope="col" class="${style(at)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, at) => html`<td class="${style(at)}${cell.length > 60 && ' long'}">${cell}</td>`)}</tr>\n`,
  )}</tbody></table></div><figcaption>${count} ${table.total === 1 ? 'row' : 'rows'}</figcaption></figure>\n`;
}

function drawAction(action: Action, losses: Losses): Html {
  switch (action.type) {
    case 'button':
      return html`<button type="button" class="button ${action.style ?? ''}" data-run="${JSON.stringify(action.run)}"${
        action.confirm !== undefined && html` data-confirm="${action.confirm}"`
      }>${action.label}</button>`;
    case 'menu':
      return html`<details class="menu"><summary class="button">${action.label}</summary><div class="menu-items" role="menu">${action.options.map(
        (option) =>
          html`<button type="button" role="menuitem" data-run="${JSON.stringify(option.run)}">${option.label}</button>`,
      )}</div></details>`;
    case 'link':
      return drawLink(action.url, action.label, 'button', losses);
    default:
      return action satisfies never;
  }
}
