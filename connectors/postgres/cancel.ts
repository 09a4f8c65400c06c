import type { Client } from 'pg';

/** Asks the server, over a connection of its own, to stop what another one does. */
export async function cancel(client: Client, pid: string): Promise<void> {
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT pg_cancel_backend($1::int)', [pid]);
  } catch {
    // No connection to be had. The caller drops its own, and the server's time limit does the rest.
  } finally {
    await client.end().catch(() => undefined);
  }
}
