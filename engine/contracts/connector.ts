import type { Audiences, Events, Files, Mails, Notices, Objects, Tasks } from './destination.ts';
import type { Fields, Values } from './form.ts';
import type { Http } from './http.ts';
import type { Source } from './source.ts';

/**
 * A connector is one file (or folder) that says how to talk to one kind of tool. It offers one part or several: a
 * `source` to read from, and for each framework that the tool can serve the part of that name.
 *
 * What it declares: its fields (each is a question of the form, a check, and a line in the docs), the hosts that it
 * calls, its limits. Listing connectors opens nothing and loads no vendor package: `open` does.
 *
 * What it may assume: batches are within its limits, hold each of our keys once, and come one at a time per place in
 * `concurrency`. The engine paces, waits, halves, tries again and remembers; a connector does none of that.
 *
 * What it must bear: the same batch may come twice, because a process can die between the far side's answer and our
 * note of it. `call.again` says so.
 *
 * What it must answer: one outcome per item, in the order given. What it throws is about the batch as a whole.
 */
export interface Connector<F extends Fields = Fields> {
  readonly id: string;
  readonly name: string;
  /** One line, a full sentence. */
  readonly summary: string;
  /** What a connection needs; secret fields are encrypted at rest and never shown again. */
  readonly config: F;
  readonly offers: readonly PartName[];
  /**
   * Hosts that `context.http` lets it call: `api.example.com`, or `*.example.com` for any name below it. `*` is any host
   * that is not on a private network. Where a connection has a `baseUrl`, that host is added.
   */
  readonly hosts: readonly string[];
  /** The version of the far side's interface, and the day it ends when the vendor has named one (`YYYY-MM-DD`). */
  readonly api?: { readonly version: string; readonly endsOn?: string };
  /** Steps for whoever connects it: where to make the key, which rights it needs. Full sentences, Markdown. */
  readonly setup: readonly string[];
  /** What its tests ran against, as a full sentence: a real server, or a server of ours that answers as documented. */
  readonly verified: string;
  /** The same in single words; without it, a server of ours alone. */
  readonly tried?: readonly Tried[];
  /** Opens a connection. Cheap: it may connect lazily. Throws CONFIG_INVALID with `fields` for what can't be right. */
  open(config: Values<F>, context: ConnectorContext): Promise<AnyConnection>;
}

/**
 * What stood at the other end of tests: the software itself that people run; something made by others that behaves like it;
 * the vendor's published description of its API, which requests are held against; a server of ours that answers as documented.
 */
export type Tried = 'software' | 'stand-in' | 'description' | 'ours';

export interface ConnectorContext {
  /** How the connection calls itself at the far side. */
  readonly applicationName: string;
  /** The one way to the web: see {@link Http}. Vendor packages that bring their own are the exception. */
  readonly http: Http;
  readonly now: () => Date;
  /** The folder of this machine, in full, at or below which a connection may write files. Without it, nowhere. */
  readonly allowedFolder?: string | undefined;
}

/** The parts that a connection can have, by name. All but `source` and `notify` are named like their framework. */
export interface Parts {
  readonly source: Source;
  readonly objects: Objects;
  readonly events: Events;
  readonly audiences: Audiences;
  readonly files: Files;
  readonly tasks: Tasks;
  readonly notify: Notices;
  readonly mail: Mails;
}
export type PartName = keyof Parts;

interface Link {
  /**
   * Tries the connection for this use, for real: a wrong password must not pass. Answers with warnings about rights, in
   * sentences; none is best. Throws AUTH_REJECTED, PERMISSION_DENIED, UNAVAILABLE or CONFIG_INVALID.
   */
  check(use: PartName): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** An open connection with the parts that its connector offers. */
export type Connection<P extends PartName> = Pick<Parts, P> & Link;

/** An open connection as the engine holds it, before it asks for a part. */
export type AnyConnection = Partial<Parts> & Link;

/** Exists for inference: types what `open` gets, and holds it to the parts that are offered. */
export function defineConnector<const F extends Fields, const P extends PartName>(
  connector: Connector<F> & {
    readonly offers: readonly P[];
    open(config: Values<F>, context: ConnectorContext): Promise<Connection<P>>;
  },
): Connector<F> {
  return connector;
}
