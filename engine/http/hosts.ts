import { BlockList, isIP } from 'node:net';

const hostName = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

/** Everything that is not the open internet, as the registries of special addresses have it. */
const closedNetworks = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
] as const;

const closed = networks(closedNetworks);

/** True for addresses of loopback, private, link-local, shared, multicast and other networks that are not public. */
export function isPrivateAddress(address: string): boolean {
  return holds(closed, address);
}

/** The host that a URL leads to: small letters, international names as `xn--`, no final dot, no brackets. */
export function hostOf(url: URL): string {
  return plain(url.hostname);
}

/** Whether a host, as {@link hostOf} gives it, is one of these: its exact name, or `*.x` for what is below x. */
export function isAmong(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const wanted = plain(pattern.toLowerCase());
    return wanted.startsWith('*.') ? host.endsWith(wanted.slice(1)) : host === wanted;
  });
}

/** Whether the text names hosts: a name, `*.` and a name, an IP address, or a network such as `10.0.0.0/8`. */
export function isHostEntry(text: string): boolean {
  const { address, bits } = networkOf(text);
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  return version > 0 ? Number.isInteger(bits) && bits >= 0 && bits <= most : hostName.test(text);
}

/** The hosts of private networks that an installation lets be called. */
export interface PrivateHosts {
  /** Listed by its name, or by an address when the host is one. */
  includes(host: string): boolean;
  includesAddress(address: string): boolean;
}

/** Reads names, addresses and networks into something to ask. Entries are as {@link isHostEntry} says. */
export function privateHosts(entries: readonly string[]): PrivateHosts {
  const addresses = entries.filter((entry) => isIP(networkOf(entry).address) > 0);
  const names = entries.filter((entry) => !addresses.includes(entry));
  const listed = networks(addresses);
  return {
    includes: (host) => (isIP(host) > 0 ? holds(listed, host) : isAmong(host, names)),
    includesAddress: (address) => holds(listed, address),
  };
}

function plain(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function networkOf(text: string): { readonly address: string; readonly bits: number } {
  const [address = '', bits, more] = text.split('/');
  const inner = plain(address);
  const all = isIP(inner) === 4 ? 32 : 128;
  return more === undefined
    ? { address: inner, bits: bits === undefined ? all : /^\d+$/.test(bits) ? Number(bits) : Number.NaN }
    : { address: '', bits: Number.NaN };
}

/** An IPv4 network is also closed or open where IPv6 carries it: mapped (`::ffff:`) and translated (`64:ff9b::`). */
function networks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const { address, bits } = networkOf(entry);
    if (isIP(address) === 6) {
      list.addSubnet(address, bits, 'ipv6');
      continue;
    }
    list.addSubnet(address, bits, 'ipv4');
    list.addSubnet(`::ffff:${address}`, 96 + bits, 'ipv6');
    list.addSubnet(`64:ff9b::${address}`, 96 + bits, 'ipv6');
  }
  return list;
}

function holds(list: BlockList, address: string): boolean {
  const [bare = ''] = address.split('%');
  return list.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4');
}
