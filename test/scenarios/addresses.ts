/** The port of an address. */
export function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** An address with another port. */
export function at(url: string, port: number): string {
  const moved = new URL(url);
  moved.port = String(port);
  return moved.href;
}
