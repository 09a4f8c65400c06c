import type { Call, Value } from '../../engine/contracts/destination.ts';
import type { Client } from './client.ts';

/** A record on its way: what is sent for the item at this place of the batch. */
export interface Send {
  readonly at: number;
  /** What the record is called in addresses: `12`, or `eid:…`. */
  readonly place: string;
  /** What it is found by, and what is written. */
  readonly key: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, Value>>;
}

/** What is done to all of them. */
export interface Work {
  readonly client: Client;
  readonly object: string;
  readonly verb: (typeof verbs)[keyof typeof verbs];
  readonly sends: readonly Send[];
  readonly call: Call;
}

export const verbs = { insert: 'POST', update: 'PATCH', upsert: 'PUT', delete: 'DELETE' } as const;
