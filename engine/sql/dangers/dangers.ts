/** What can be written in a SELECT of one dialect, and does more than read. */
export interface Dangers {
  /** Words that a query may begin with. */
  readonly openers: readonly string[];
  /** By their names in small letters, bare or with what is before the dot. */
  readonly functions: readonly (readonly [does: string, name: RegExp])[];
  /** Tokens with a space between: words in small letters, names as `"name"`, every literal as `'`. */
  readonly phrases: readonly (readonly [would: string, words: RegExp])[];
  /** What no text may have anywhere, not even in quotes. */
  readonly never?: readonly [would: string, text: RegExp];
}
