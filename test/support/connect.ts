import type { AnyConnection, Connector } from '../../engine/contracts/connector.ts';
import type { Call } from '../../engine/contracts/destination.ts';
import { check } from '../../engine/contracts/form.ts';
import type { Log } from '../../engine/contracts/log.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { isAmong } from '../../engine/http/hosts.ts';
import { createHttp } from '../../engine/http.ts';

export interface OpenOptions {
  readonly now?: () => Date;
  /** Hosts that a fake stands in for, where no field of the connection says where to call: `{ 'api.x.com': fake.url }`. */
  readonly standIns?: Readonly<Record<string, string>>;
  /** Where it may write files. */
  readonly allowedFolder?: string;
}

export interface Opened {
  readonly connection: AnyConnection;
  /** Every line that was logged, its facts with it. */
  readonly logged: readonly string[];
  /** The waits before tries again, in milliseconds; none of them was really waited. */
  readonly pauses: readonly number[];
  close(): Promise<void>;
}

/**
 * Opens a connector for a test, with what a person would type into its form. It may call 127.0.0.1 and what it declares.
 */
export async function openFor(connector: Connector, typed: Raw, options: OpenOptions = {}): Promise<Opened> {
  const { now = () => new Date(), standIns = {}, allowedFolder } = options;
  const checked = check(connector.config, typed);
  if (!checked.ok) {
    throw new Error(`The form of ${connector.id} does not take this: ${JSON.stringify(checked.errors)}`);
  }
  const logged: string[] = [];
  const pauses: number[] = [];
  const http = createHttp({
    hosts: connector.hosts,
    extra: ['127.0.0.1'],
    privateHosts: ['127.0.0.1'],
    secrets: secretsOf(connector, typed),
    log: recorder(logged),
    now,
    pause: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
    },
  });
  const connection = await connector.open(checked.values, {
    applicationName: 'activate/test',
    now,
    allowedFolder,
    http: { send: (request) => http.send({ ...request, url: standIn(request.url, connector, standIns) }) },
  });
  return {
    connection,
    logged,
    pauses,
    close: async () => {
      await connection.close();
      await http.close();
    },
  };
}

/** A first attempt at something. `kept` has the tickets that the connector asked to remember. */
export function call(given: Partial<Call> = {}): Call & { readonly kept: readonly string[] } {
  const kept: string[] = [];
  return {
    signal: new AbortController().signal,
    again: false,
    ticket: undefined,
    run: 'run-1',
    keep: async (ticket) => void kept.push(ticket),
    ...given,
    kept,
  };
}

/** What was typed into the secret fields of a connector. */
export function secretsOf(connector: Connector, typed: Raw): readonly string[] {
  return Object.entries(typed)
    .filter(([name]) => connector.config[name]?.widget.type === 'secret')
    .map(([, value]) => value);
}

function standIn(text: string, connector: Connector, standIns: Readonly<Record<string, string>>): string {
  const url = new URL(text);
  const instead = standIns[url.hostname];
  if (instead === undefined || !isAmong(url.hostname, connector.hosts)) {
    return text;
  }
  return `${instead}${url.pathname}${url.search}`;
}

function recorder(lines: string[]): Log {
  const record =
    (level: string) =>
    (facts: object, message: string): void =>
      void lines.push(`${level} ${message} ${JSON.stringify(facts)}`);
  return {
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
    child: () => recorder(lines),
  };
}
