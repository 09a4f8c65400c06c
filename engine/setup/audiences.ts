import type { Audiences } from '../contracts/destination.ts';
import { createMapper } from '../mapping/mapper.ts';
import type { AudiencesSettings } from '../model/audiences.ts';
import type { About } from './about.ts';
import { mustBeAmong, problem } from './problem.ts';

/** Whether people can be put on the list like this; sentences about what may go wrong all the same. */
export async function checkAudiences(
  settings: AudiencesSettings,
  audiences: Audiences,
  { columns, rows }: About,
): Promise<readonly string[]> {
  const names = columns.map((column) => column.name);
  const known = audiences.identifiers.map((one) => one.name);
  for (const [name, column] of Object.entries(settings.identifiers)) {
    mustBeAmong('identifiers', name, known, 'identifier');
    mustBeAmong('identifiers', column, names, 'column');
  }
  if (settings.traits.length > 0) {
    const specs = await audiences.traits(settings.list);
    if (specs.length === 0) {
      throw problem('traits', 'This destination keeps nothing about people but who they are.');
    }
    createMapper(settings.traits, specs, columns);
  }
  if (settings.atMost !== undefined && settings.atMost < settings.atLeast) {
    throw problem('atMost', 'The most is below the least.');
  }
  return rows !== undefined && audiences.smallest > 0 && rows < audiences.smallest
    ? [
        `The destination makes no use of a list below ${audiences.smallest.toLocaleString('en')} people; the query gives ${rows.toLocaleString('en')}.`,
      ]
    : [];
}
