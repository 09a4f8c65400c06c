/** A name as SQL takes it whatever is in it. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** The names in a text like sales.`odd table`. */
export function namesOf(text: string): readonly string[] {
  const parts = text.trim().match(/`(?:[^`]|``)*`|[^`.]+/g) ?? [text];
  return parts.map((part) =>
    part.startsWith('`') ? part.replace(/^`(.*)`$/s, '$1').replaceAll('``', '`') : part.trim(),
  );
}

/** A name as people write it: in quotes only where it needs them. */
export function written(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quoted(name);
}
