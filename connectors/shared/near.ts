/** Whether a host is this machine, in a private network, or a name that only such a network knows: plain HTTP may do there. */
export function isNear(host: string): boolean {
  return (
    /^(localhost|127\.\d+\.\d+\.\d+|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|172\.(1[6-9]|2\d|3[01])\.\d+\.\d+)$/.test(
      host,
    ) ||
    /^\[(::1|f[cd][0-9a-f]{2}:.*)\]$/.test(host) ||
    /^[a-z0-9-]+$/.test(host) ||
    /\.(local|internal|localhost|svc)$/.test(host)
  );
}
