/**
 * What Mattermost takes, by its own numbers. Its server counts a message in runes (code points), and a dialog's short
 * texts in bytes of UTF-8.
 */
export const LIMITS = {
  /** A message, in runes. */
  message: 16_383,
  /** Not limited by the server; as much as a client still opens with "Show more". In runes. */
  attachment: 16_000,
  attachments: 40,
  /** All attachments of a message together, in runes; the server takes 800,000 for all that goes with a post. */
  props: 400_000,
  heading: 250,
  button: 80,
  menuOptions: 100,
  cell: 60,
  table: 8000,
  fallback: 300,
  files: 10,
  /** Title of a dialog and name of a field, in bytes. */
  dialogTitle: 24,
  dialogLabel: 24,
  /** Not limited by the server. */
  dialogSubmit: 40,
  dialogHelp: 150,
  dialogText: 150,
  dialogArea: 3000,
  dialogIntro: 8000,
  dialogOptions: 500,
  optionLabel: 100,
  /** Choices of one field when the server can't ask for them as a person types. */
  lookup: 100,
} as const;

/** Cuts at a whole character and says so in `losses`. `max` is in runes. */
export function fitted(text: string, max: number, what: string, losses: string[]): string {
  if (runes(text) <= max) {
    return text;
  }
  losses.push(`${what} was cut to ${max} characters.`);
  return cut(text, max);
}

/** The same, with `max` in bytes. */
export function fittedBytes(text: string, max: number, what: string, losses: string[]): string {
  if (Buffer.byteLength(text) <= max) {
    return text;
  }
  losses.push(`${what} was cut to ${max} bytes.`);
  let kept = '';
  let size = Buffer.byteLength('…');
  for (const char of text) {
    size += Buffer.byteLength(char);
    if (size > max) {
      break;
    }
    kept += char;
  }
  return `${kept}…`;
}

/** The beginning of a text, at most `max` runes with its ellipsis. */
export function cut(text: string, max: number): string {
  return runes(text) <= max ? text : `${[...text].slice(0, max - 1).join('')}…`;
}

/** Length as the server counts it. */
export function runes(text: string): number {
  let count = 0;
  for (const _ of text) {
    count += 1;
  }
  return count;
}
