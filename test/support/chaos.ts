import { createHash } from 'node:crypto';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { failure, type Got, type Trouble } from './memory.ts';

/** Numbers from 0 up to 1, the same for the same seed. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const perRow: readonly [Outcome, boolean][] = [
  [{ state: 'rejected', reason: 'Refused by chance.' }, false],
  [{ state: 'retry', reason: 'Not now, by chance.' }, false],
  [{ state: 'unknown', reason: 'Nobody knows.' }, false],
  [{ state: 'unknown', reason: 'Nobody knows.' }, true],
];

/**
 * A far side that gets about half of all calls wrong, in every way that the contract knows. What becomes of a call hangs
 * on what is in it and how often it came, and not on when it came.
 */
export function chaos(seed: number): (got: Got) => Trouble | undefined {
  const seen = new Map<string, number>();
  return ({ verb, keys }) => {
    const name = `${verb} ${keys.join(' ')}`;
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    const roll = dice(createHash('sha1').update(`${seed} ${name} ${before}`).digest().readUInt32BE());
    const pick = <T>(from: readonly T[]): T => from[Math.floor(roll() * from.length)] as T;
    const way = roll();
    if (way < 0.5) {
      return undefined;
    }
    if (way < 0.8) {
      const fates = keys.map(() => (roll() < 0.5 ? undefined : pick(perRow)));
      return {
        outcomes: fates.map((fate) => fate?.[0]),
        applied: (at) => fates[at]?.[1] ?? true,
      };
    }
    const done = keys.map(() => roll() < 0.5);
    switch (pick(['limited', 'away', 'unknown', 'refused', 'locked'] as const)) {
      case 'limited':
        return { thrown: failure('RATE_LIMITED', roll() < 0.5 ? 200 : undefined) };
      case 'away':
        return { thrown: failure('UNAVAILABLE') };
      case 'unknown':
        return { thrown: failure('OUTCOME_UNKNOWN'), applied: (at) => done[at] === true };
      case 'refused':
        return { thrown: failure('ROW_REJECTED') };
      case 'locked':
        return { thrown: failure('AUTH_REJECTED') };
    }
  };
}
