/** What Slack refuses, by its own numbers. Lengths are in characters. */
export const LIMITS = {
  /** Blocks in a message. */
  blocks: 50,
  /** Blocks in a modal or on the Home tab. */
  viewBlocks: 100,
  /** Not documented; a message whose texts add up to about 13,200 is refused with msg_blocks_too_long. */
  messageText: 12_000,
  section: 3000,
  fields: 10,
  field: 2000,
  header: 150,
  contextElements: 10,
  actions: 25,
  button: 75,
  buttonValue: 2000,
  url: 3000,
  actionId: 255,
  options: 100,
  option: 75,
  optionValue: 75,
  optionHint: 75,
  /** Checkboxes and radio buttons. */
  boxes: 10,
  confirmTitle: 100,
  confirm: 300,
  /** The `text` of a message: what notifications and screen readers say. */
  fallback: 4000,
  /** Title, submit and close of a modal. */
  viewTitle: 24,
  metadata: 3000,
  label: 2000,
  hint: 2000,
  placeholder: 150,
  input: 3000,
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
