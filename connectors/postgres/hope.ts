/** What is thought of a table: whether the rows that come are all new to it. */
export interface Hope {
  /** `sample` looks for a few of them; it is asked only where nothing is known yet. */
  isAllNew(sample: () => Promise<boolean>): Promise<boolean>;
  giveUp(): void;
}

/** A first run goes on with new rows, batch by batch; a pause ends what is known of it. */
const newForMs = 60_000;
const notNewForMs = 600_000;

/** What is thought of each table, by name. Wrong thoughts cost time and nothing else. */
export function hopesFor(now: () => Date): (object: string) => Hope {
  const thoughts = new Map<string, { readonly allNew: boolean; readonly until: number }>();
  return (object) => {
    const think = (allNew: boolean): void => {
      const until = now().getTime() + (allNew ? newForMs : notNewForMs);
      thoughts.set(object, { allNew, until });
    };
    return {
      isAllNew: async (sample) => {
        const thought = thoughts.get(object);
        const known = thought !== undefined && now().getTime() < thought.until;
        const allNew = known ? thought.allNew : await sample();
        if (allNew || !known) {
          think(allNew);
        }
        return allNew;
      },
      giveUp: () => think(false),
    };
  };
}
