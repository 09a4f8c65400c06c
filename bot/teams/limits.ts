/** What Teams takes, by its own numbers. Lengths are in characters unless said otherwise. */
export const LIMITS = {
  /**
   * A message may have about 100 KB, counted in UTF-16, and 80 KB are advised. An activity has some thousand characters
   * around its card.
   */
  card: 37_000,
  /** Adaptive Cards show six actions of a set; the rest would be dropped. */
  actions: 6,
  /** Not documented; longer ones are cut by the clients without a word. */
  button: 60,
  title: 200,
  heading: 200,
  label: 200,
  /** What a notification and the list of chats show. */
  summary: 400,
  /** Rows and columns of a table that a chat's width can show. */
  rows: 20,
  columns: 8,
  cell: 60,
  /** Not documented; it has to fit into a card. */
  input: 16_000,
  placeholder: 150,
  /** Choices that a list shows before it has to be searched. */
  options: 100,
  option: 100,
  /** Options of a search that Teams shows. */
  found: 15,
  /** Picture sizes: pixels a side, and bytes that are put into the card itself. */
  side: 1024,
  inline: 8 * 1024,
  picture: 1024 * 1024,
  /** Title of a dialog. */
  dialog: 64,
} as const;

/** Cuts at a whole character and says so in `losses`. */
export function fitted(text: string, max: number, what: string, losses: string[]): string {
  if (text.length <= max) {
    return text;
  }
  losses.push(`${what} was cut to ${max} characters.`);
  return cut(text, max);
}

/** The beginning of a text, at most `max` characters with its ellipsis, never half an emoji. */
export function cut(text: string, max: number): string {
  if (text.length <= max) {
    return text;
  }
  return `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
