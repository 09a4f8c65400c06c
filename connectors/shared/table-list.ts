/** A table or view of a warehouse. */
export interface Listed {
  readonly schema: string;
  readonly name: string;
  /** As SQL takes it, with the schema, in quotes where it needs them. */
  readonly text: string;
}

/** As many as warehouses list at once. */
export const listedAtOnce = 10_000;
const offered = 100;

/**
 * What a warehouse lists that has what was typed in its name, best matches first. `list` asks for the names of tables
 * that are LIKE a pattern; where there are more than it lists at once, it is asked again for what was typed.
 */
export async function bestMatches(
  list: (pattern: string) => Promise<readonly Listed[]>,
  typed: string,
): Promise<readonly string[]> {
  const wanted = typed.trim().toLowerCase();
  const all = await list('%');
  const name = (wanted.split('.').at(-1) ?? '').replaceAll(/[\\%_"`]/g, '_');
  const listed = all.length < listedAtOnce || wanted === '' ? all : await list(`%${name}%`);
  return listed
    .filter(({ schema }) => schema.toLowerCase() !== 'information_schema')
    .map(({ schema, name: bare, text }) => ({
      name: bare.toLowerCase(),
      path: `${schema}.${bare}`.toLowerCase(),
      text,
    }))
    .filter(({ path, text }) => path.includes(wanted) || text.toLowerCase().includes(wanted))
    .map((found) => ({ ...found, score: scoreOf(found, wanted) }))
    .sort((a, b) => a.score - b.score || (a.text < b.text ? -1 : 1))
    .slice(0, offered)
    .map(({ text }) => text);
}

function scoreOf({ name, path }: { readonly name: string; readonly path: string }, wanted: string): number {
  return name === wanted ? 0 : name.startsWith(wanted) ? 1 : path.startsWith(wanted) ? 2 : 3;
}
