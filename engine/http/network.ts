import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import { ActivateError } from '../contracts/errors.ts';
import { hostOf, isAmong, isPrivateAddress, privateHosts } from './hosts.ts';

export interface NetworkOptions {
  /** Hosts that may be called: exact names, `*.x` for what is below x, `*` for all. */
  readonly hosts: readonly string[];
  /** Hosts that a connection adds, that of its base URL say. */
  readonly extra?: readonly string[];
  /** Names, addresses and networks that may be called though they are private, and without encryption. */
  readonly privateHosts?: readonly string[];
  /** Carries everything that does not go to private hosts. */
  readonly proxy?: string | undefined;
  readonly resolve?: (host: string) => Promise<readonly Address[]>;
}

interface Address {
  readonly address: string;
  readonly family: number;
}

export interface Network {
  /** Throws PERMISSION_DENIED when a URL leads to a host that is not listed, or can be told to be private. */
  mustAllow(url: URL): void;
  /** What carries a request to there: the pool of connections, or the proxy. */
  to(url: URL): Promise<Dispatcher>;
  /** Breaks off what is under way, too. */
  close(): Promise<void>;
}

/**
 * Where requests go out. A name is looked up once per connection, and the very address that was checked is connected to:
 * a name that leads elsewhere the second time it is asked gains nothing.
 */
export function openNetwork(options: NetworkOptions): Network {
  const { hosts, extra = [], resolve = (host) => lookup(host, { all: true }) } = options;
  const allowed = privateHosts(options.privateHosts ?? []);
  const mayConnect = (secure: boolean, host: string, address: string): boolean =>
    allowed.includes(host) || allowed.includesAddress(address) || (secure && !isPrivateAddress(address));
  const checked = async (secure: boolean, host: string): Promise<readonly Address[]> => {
    const addresses = await resolve(host);
    if (!addresses.every(({ address }) => mayConnect(secure, host, address))) {
      throw refused(
        secure,
        host,
        addresses.some(({ address }) => isPrivateAddress(address)),
      );
    }
    return addresses;
  };
  const connectors = {
    plain: buildConnector({ timeout: 10_000, lookup: lookupWith((host) => checked(false, host)) }),
    secure: buildConnector({ timeout: 10_000, lookup: lookupWith((host) => checked(true, host)) }),
  };
  const direct = new Agent({
    connect: (target, callback) =>
      (target.protocol === 'https:' ? connectors.secure : connectors.plain)(target, callback),
  });
  const proxy = options.proxy === undefined ? undefined : new ProxyAgent(options.proxy);

  return {
    mustAllow: (url) => {
      const host = hostOf(url);
      const secure = url.protocol === 'https:';
      if (!hosts.includes('*') && !isAmong(host, [...hosts, ...extra])) {
        throw new ActivateError(
          'PERMISSION_DENIED',
          `${host} is none of the hosts that this connection may call.`,
        );
      }
      if (isIP(host) > 0 && !mayConnect(secure, host, host)) {
        throw refused(secure, host, isPrivateAddress(host));
      }
    },
    to: async (url) => {
      const host = hostOf(url);
      if (proxy === undefined || allowed.includes(host)) {
        return direct;
      }
      // The proxy looks the name up by itself, and may be the only one that can.
      const addresses = await checked(url.protocol === 'https:', host).catch((error: unknown) => {
        if (error instanceof ActivateError || url.protocol === 'http:') {
          throw error instanceof ActivateError ? error : refused(false, host, false);
        }
        return [];
      });
      return addresses.some(({ address }) => allowed.includesAddress(address)) ? direct : proxy;
    },
    close: async () => {
      await Promise.all([direct.destroy(), proxy?.destroy()]);
    },
  };
}

function refused(secure: boolean, host: string, isPrivate: boolean): ActivateError {
  return secure || isPrivate
    ? new ActivateError(
        'PERMISSION_DENIED',
        `${host} is on a private network, which connections may not call.`,
        {
          fix: 'If that is meant, an admin can list it in ALLOWED_PRIVATE_HOSTS.',
        },
      )
    : new ActivateError('PERMISSION_DENIED', `${host} is not called without encryption.`, {
        fix: 'Use an address that begins with https://.',
      });
}

function lookupWith(checked: (host: string) => Promise<readonly Address[]>): LookupFunction {
  return (host, { all }, callback) => {
    checked(host).then(
      (addresses) => {
        const first = addresses[0] ?? { address: '', family: 4 };
        if (all === true) {
          callback(null, [...addresses]);
        } else {
          callback(null, first.address, first.family);
        }
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}
