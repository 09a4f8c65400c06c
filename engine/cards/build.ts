import type { Action, Block, Inline, Rich } from '../contracts/card.ts';
import type { Raw } from '../contracts/refs.ts';

/** Short ways to write the blocks that our cards are made of. */
export function bold(...text: Inline[]): Inline {
  return { type: 'bold', text };
}

export function code(text: string): Inline {
  return { type: 'code', text };
}

export function text(...parts: Inline[]): Block {
  return { type: 'text', text: parts };
}

export function context(...parts: Inline[]): Block {
  return { type: 'context', text: parts };
}

export function fields(items: Readonly<Record<string, string | Rich>>): Block {
  return {
    type: 'fields',
    items: Object.entries(items).map(([label, value]) => ({
      label,
      value: typeof value === 'string' ? [value] : value,
    })),
  };
}

export function actions(...given: readonly (Action | undefined)[]): Block {
  return { type: 'actions', actions: given.filter((action) => action !== undefined) };
}

export function button(
  label: string,
  command: string,
  input: Raw = {},
  more: { readonly style?: 'primary' | 'danger'; readonly confirm?: string } = {},
): Action {
  return { type: 'button', label, run: { command, input }, ...more };
}

/** A count with its noun: "1 row", "1,204 rows". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/** How long ago, for people: "just now", "5 min ago", "3 h ago", "2 days ago". */
export function ago(at: Date, now: Date): string {
  const minutes = Math.floor((now.getTime() - at.getTime()) / 60_000);
  if (minutes < 1) {
    return 'just now';
  }
  if (minutes < 60) {
    return `${minutes} min ago`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`;
}

/** A moment in somebody's time zone: "Tue 24 Nov, 09:30", or with its seconds where they matter. */
export function moment(at: Date, timeZone: string, { seconds = false } = {}): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    ...(seconds ? { second: '2-digit' } : {}),
  }).format(at);
}

/** Cut to a length, with an ellipsis when something is missing. */
export function shorten(value: string, length: number): string {
  return value.length <= length ? value : `${value.slice(0, length - 1)}…`;
}

export function heading(words: string): Block {
  return { type: 'heading', text: words };
}
