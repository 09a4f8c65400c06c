import { quoted } from '../../engine/contracts/names.ts';

/** A text as SQL takes it. A backslash would take the meaning from what follows it. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** The names in a text like `PUBLIC."Odd table"`, as Snowflake keeps them: those without quotes in capital letters. */
export function namesOf(text: string): readonly string[] {
  const parts = text.trim().match(/"(?:[^"]|"")*"|[^".]+/g) ?? [text];
  return parts.map((part) =>
    part.startsWith('"') ? part.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"') : part.trim().toUpperCase(),
  );
}

/** A name as people write it: in quotes only where it needs them. */
export function written(name: string): string {
  return /^[A-Z_][A-Z0-9_$]*$/.test(name) ? name : quoted(name);
}
