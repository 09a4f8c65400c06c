import type { Raw } from '../engine/contracts/refs.ts';

/** Checked values as text again, for what is shared with the steps, which see text only. */
export function rawOf(values: Readonly<Record<string, unknown>>): Raw {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, Array.isArray(value) ? JSON.stringify(value) : String(value)]),
  );
}
