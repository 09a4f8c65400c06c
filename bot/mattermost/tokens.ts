import type { Invocation } from '../../engine/contracts/refs.ts';
import type { Press } from './card.ts';
import type { Carried, Place } from './form.ts';
import type { Bearer, Opened, Seal } from './seal.ts';

/** Cards stay where they are posted; after a year their buttons ask for a fresh one. */
const BUTTON_MS = 365 * 24 * 3_600_000;
const DIALOG_MS = 24 * 3_600_000;

/** What a button or a menu brings back. */
export interface Pressed extends Press {
  /** Where its answers go; where it was pressed when left out. */
  readonly home?: Place;
  /** The thread that its message is in. */
  readonly thread?: string;
  /** Its message is one that only its reader sees, which can't be edited. */
  readonly ephemeral?: boolean;
}

/** A question that was asked before something is done. */
export interface Confirming {
  readonly run: Invocation;
  readonly place: Place;
}

/** Gives out what comes back with a press or a dialog, and reads it again. */
export interface Tokens {
  /** Bound to where it is posted, and to its reader when only one person sees it. */
  button(pressed: Pressed, to: Bearer): string;
  readButton(token: unknown, seen: Bearer): Read<Pressed>;
  dialog(what: Carried | Confirming, person: string): string;
  readDialog(token: unknown, person: string): Read<Carried | Confirming>;
  lookup(carried: Carried, person: string): string;
  readLookup(token: unknown, person: string): Read<Carried>;
}

export type Read<T> =
  | { readonly state: 'ok'; readonly value: T; readonly id: string }
  | { readonly state: 'expired' }
  | { readonly state: 'forged' };

export function createTokens(seal: Seal): Tokens {
  return {
    button: (pressed, to) => seal.close('button', pressed, to, BUTTON_MS),
    readButton: (token, seen) => as<Pressed>(seal.open('button', token, seen)),
    dialog: (what, person) => seal.close('dialog', what, { person }, DIALOG_MS),
    readDialog: (token, person) => as<Carried | Confirming>(seal.open('dialog', token, { person })),
    lookup: (carried, person) => {
      const { responseUrl: _, ...place } = carried.place;
      return seal.close('lookup', { ...carried, place }, { person }, DIALOG_MS);
    },
    readLookup: (token, person) => as<Carried>(seal.open('lookup', token, { person })),
  };
}

/** What opens under our key was written by us, so that it has the shape it was closed with. */
function as<T>(opened: Opened): Read<T> {
  return opened.state === 'ok' ? { ...opened, value: opened.value as T } : opened;
}
