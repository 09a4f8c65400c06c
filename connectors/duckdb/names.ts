/** A name as SQL takes it whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The same, without quotes where it needs none. */
export function plain(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoted(name);
}

/** A text as SQL takes it. No sign but the quote means anything in one. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A whole table, named as `tables` names it. */
export function selectAll(table: string): string {
  const parts = table.match(/"(?:[^"]|"")*"|[^".]+/g) ?? [table];
  const names = parts.map((part) => part.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"'));
  return `SELECT * FROM ${names.map(quoted).join('.')}`;
}

/** Whether two names mean the same column: letters of ASCII in any case. */
export function isSame(one: string, other: string): boolean {
  const lower = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return lower(one) === lower(other);
}
