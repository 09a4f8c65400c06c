import type { Invocation, PersonRef } from './refs.ts';

/**
 * Text with formatting, as a tree. Platforms draw it in their own syntax and escape every plain string, so a
 * value from a row can never turn into a mention, a link or formatting.
 */
export type Inline =
  | string
  | { readonly type: 'bold' | 'italic' | 'strike'; readonly text: Rich }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'link'; readonly text: Rich; readonly url: string }
  /** `person` is set when the platform knows them: then they are notified. Otherwise `name` is plain text. */
  | { readonly type: 'mention'; readonly name: string; readonly person?: PersonRef }
  | { readonly type: 'break' };

export type Rich = readonly Inline[];

export type Tone = 'neutral' | 'good' | 'warning' | 'bad';

/** A neutral rich message. `fallback` is what a notification and a screen reader say: plain text, one line. */
export interface Card {
  readonly title: string;
  readonly tone?: Tone;
  readonly blocks: readonly Block[];
  readonly fallback: string;
}

export type Block =
  | { readonly type: 'text'; readonly text: Rich }
  /** Small print: where a message comes from, when, why. */
  | { readonly type: 'context'; readonly text: Rich }
  | { readonly type: 'heading'; readonly text: string }
  | { readonly type: 'divider' }
  | { readonly type: 'fields'; readonly items: readonly { readonly label: string; readonly value: Rich }[] }
  /** `total` is the true number of rows; a drawing that shows fewer says "20 of 431". */
  | {
      readonly type: 'table';
      readonly columns: readonly string[];
      readonly rows: readonly (readonly string[])[];
      readonly total: number;
    }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'image'; readonly png: Uint8Array; readonly alt: string }
  | { readonly type: 'actions'; readonly actions: readonly Action[] };

/** A button is a command that somebody could have typed; a menu is several of them under one label. */
export type Action =
  | {
      readonly type: 'button';
      readonly label: string;
      readonly style?: 'primary' | 'danger';
      readonly run: Invocation;
      /** A question asked before it runs. */
      readonly confirm?: string;
    }
  | {
      readonly type: 'menu';
      readonly label: string;
      readonly options: readonly { readonly label: string; readonly run: Invocation }[];
    }
  | { readonly type: 'link'; readonly label: string; readonly url: string };

/** A drawing in a platform's own terms. `losses` names everything that had to be cut: nothing is lost quietly. */
export interface Rendered<T> {
  readonly payload: T;
  readonly losses: readonly string[];
}

/** The words of formatted text without the formatting. */
export function plain(text: Rich): string {
  return text
    .map((part) => {
      if (typeof part === 'string') {
        return part;
      }
      switch (part.type) {
        case 'bold':
        case 'italic':
        case 'strike':
        case 'link':
          return plain(part.text);
        case 'code':
          return part.text;
        case 'mention':
          return part.person === undefined ? part.name : `@${part.name}`;
        case 'break':
          return '\n';
        default:
          return part satisfies never;
      }
    })
    .join('');
}
