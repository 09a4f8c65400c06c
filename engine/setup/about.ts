import type { Column } from '../contracts/source.ts';

/** What a sync is made over. */
export interface About {
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  readonly timeZone: string;
  /** Where people outside reach this bot, when that is set up. */
  readonly publicUrl?: string | undefined;
  /** How many rows the query gives just now, when that is known. */
  readonly rows?: number;
}
