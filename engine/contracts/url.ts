/**
 * An address, read; undefined when the text is none. Not by `URL.canParse`: once V8 has optimised its caller, Node 20
 * says there that an address with letters beyond ASCII is none.
 */
export function parsedUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
