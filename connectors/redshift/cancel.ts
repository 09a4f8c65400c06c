import type { Client, ClientBase } from 'pg';

const patienceMs = 5000;

/** Asks the server, over a connection of its own, to stop what another one does. Gives up after some seconds. */
export async function cancel(client: Client, pid: string): Promise<void> {
  client.on('error', () => undefined);
  try {
    await client.connect();
    const question = { text: 'SELECT pg_cancel_backend($1::int)', values: [pid], query_timeout: patienceMs };
    await client.query(question);
  } catch {
    // No connection to be had. The caller drops its own, and the server's time limit does the rest.
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Drops a connection after a time, unless told before that its server did answer. What waits for an answer on it then
 * fails as when the connection is lost.
 */
export function dropAfter(client: ClientBase, ms = patienceMs): { answered(): void } {
  // With a question open, `end` doesn't wait for the server; a client of a pool has it too.
  const timer = setTimeout(() => void (client as Client).end().catch(() => undefined), ms);
  return { answered: () => clearTimeout(timer) };
}
