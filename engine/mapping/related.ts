import type { Objects } from '../contracts/destination.ts';
import type { PlanEntry } from '../planner/chunks.ts';
import { possibleLines } from '../planner/doubt.ts';
import { decodeLine } from '../planner/keys.ts';
import type { Lookup } from './mapper.ts';

const atOnce = 200;

/** Finds the records that rows refer to, asking for each once in a run. */
export class Related {
  private readonly objects: Objects;
  private readonly lookups: readonly Lookup[];
  private readonly columns: readonly string[];
  private readonly known = new Map<string, string | undefined>();

  constructor(objects: Objects, lookups: readonly Lookup[], columns: readonly string[]) {
    this.objects = objects;
    this.lookups = lookups;
    this.columns = columns;
  }

  /** Looks up what these changes refer to and is not known yet. */
  async prepare(entries: readonly PlanEntry[]): Promise<void> {
    if (this.lookups.length > 0) {
      const width = this.columns.length;
      await this.look(
        entries.flatMap(({ line, previous }) => [
          ...(line === undefined ? [] : [line]),
          ...(previous === undefined ? [] : possibleLines(previous, width)),
        ]),
      );
    }
  }

  /** The same for rows. */
  async look(lines: readonly Uint8Array[]): Promise<void> {
    for (const lookup of this.lookups) {
      const values = new Set<string>();
      for (const line of lines) {
        const value = decodeLine(line, this.columns)[lookup.at];
        if (value !== null && value !== undefined && !this.known.has(nameOf(lookup, value))) {
          values.add(value);
        }
      }
      await this.find(lookup, [...values]);
    }
  }

  idOf(lookup: Lookup, value: string): string | undefined {
    return this.known.get(nameOf(lookup, value));
  }

  private async find(lookup: Lookup, values: readonly string[]): Promise<void> {
    for (let from = 0; from < values.length; from += atOnce) {
      const some = values.slice(from, from + atOnce);
      const found = await this.objects.find(lookup.object, lookup.by, some);
      for (const value of some) {
        this.known.set(nameOf(lookup, value), found.get(value));
      }
    }
  }
}

function nameOf({ object, by }: Lookup, value: string): string {
  return JSON.stringify([object, by, value]);
}
