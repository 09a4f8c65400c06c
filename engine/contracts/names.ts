/** A name as standard SQL takes it whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The bare names in a text like `public."Odd table"`. */
export function namesOf(text: string): readonly string[] {
  const parts = text.match(/"(?:[^"]|"")*"|[^".]+/g) ?? [text];
  return parts.map((part) => part.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"'));
}

/** A whole table, named by a text like `public."Odd table"`. */
export function selectAll(table: string): string {
  return `SELECT * FROM ${namesOf(table).map(quoted).join('.')}`;
}
