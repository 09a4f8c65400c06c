import type { Option, Options } from '../../engine/contracts/form.ts';

/** Something at a far side that a person chooses by its name. */
export interface Named {
  readonly id: string;
  readonly name: string;
}

/** For sorting: what has this very name first, then what begins like it, then the rest; each by name. */
export function nearestTo(typed: string): (a: Pick<Named, 'name'>, b: Pick<Named, 'name'>) => number {
  const wanted = typed.trim().toLowerCase();
  const rank = (name: string): number => {
    const small = name.toLowerCase();
    return small === wanted ? 0 : small.startsWith(wanted) ? 1 : 2;
  };
  return (a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name);
}

/** The hundred nearest of those that have this in their names, or for an id. */
export function nearest<T extends Named>(all: readonly T[], typed: string): readonly T[] {
  const wanted = typed.trim().toLowerCase();
  return all
    .filter(({ id, name }) => name.toLowerCase().includes(wanted) || id === wanted)
    .sort(nearestTo(typed))
    .slice(0, 100);
}

/** As it is offered. */
export function optionOf({ id, name }: Named): Option {
  return { value: id, label: name.slice(0, 75) };
}

/** The first hundred options with this in them. */
export function optionsWith(typed: string, options: Options): Options {
  const wanted = typed.trim().toLowerCase();
  return options
    .filter(({ value, label }) => `${value} ${label}`.toLowerCase().includes(wanted))
    .slice(0, 100);
}
