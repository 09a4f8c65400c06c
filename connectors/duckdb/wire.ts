import type { Column, KeyOrder, Query, Table } from '../../engine/contracts/source.ts';
import type { KeyPart } from '../shared/key-guess.ts';
import type { Listed } from '../shared/table-list.ts';
import type { Place } from './place.ts';

// What goes between this process and the one that DuckDB runs in.

/** What can be asked, and what the answer is. */
export interface Answers {
  readonly tables: readonly Listed[];
  readonly describe: readonly Column[];
  readonly preview: Table;
  readonly count: number;
  /** Rows in which a key can be looked for, and the primary key of the table that they are from. */
  readonly sample: { readonly table: Table; readonly primary: readonly KeyPart[] };
}

export type Question =
  | { readonly kind: 'tables' }
  | { readonly kind: 'describe'; readonly sql: string }
  | { readonly kind: 'preview'; readonly sql: string; readonly rows: number }
  | { readonly kind: 'count'; readonly sql: string }
  | { readonly kind: 'sample'; readonly sql: string }
  | { readonly kind: 'read'; readonly query: Query };

export interface Task {
  readonly id: number;
  readonly place: Place;
  readonly memoryMb: number;
  readonly threads: number;
  /** How long to wait for a file that somebody else holds. */
  readonly patienceMs: number;
  readonly question: Question;
}

/** What went wrong over there: in DuckDB's words, or by a type of ours. */
export interface Failure {
  /** As DuckDB names it, `Binder` say; or `missing`, `locked`, `unsafe`, `lost`, or an ActivateError's code. */
  readonly type: string;
  readonly message: string;
  readonly fix?: string | undefined;
  /** Where in the person's text, in bytes of its UTF-8. */
  readonly position?: number | undefined;
}

/** To the child. `more`: one more piece may be sent. */
export type Down =
  | { readonly to: 'ask'; readonly task: Task }
  | { readonly to: 'more' | 'stop'; readonly id: number };

/** What is said while a reading is under way. */
export type Note =
  | { readonly is: 'reading'; readonly order: readonly KeyOrder[]; readonly sorted: boolean }
  | { readonly is: 'piece'; readonly bytes: Uint8Array };

/** From the child. `answer`, `end` and `failed` are the last word about a question: by then all is closed. */
export type Up = { readonly id: number } & (
  | Note
  | { readonly is: 'answer'; readonly value: Answers[keyof Answers] }
  | { readonly is: 'end' }
  | { readonly is: 'failed'; readonly failure: Failure }
);

/** How many pieces may be under way before `more` is said. */
export const piecesAhead = 8;
