import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A port of this machine that leads to another one. */
export interface Relay {
  readonly port: number;
  /** Breaks all connections now. */
  strike(): void;
  close(): Promise<void>;
}

/**
 * Starts one before a port of 127.0.0.1. `carry` is called for each who connects, and passes bytes on as it likes; when
 * one end of a connection is gone, so is the other.
 */
export async function startRelay(
  to: number,
  carry: (near: Socket, open: () => Socket) => void,
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const kept = (socket: Socket, other?: Socket): Socket => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other?.destroy();
    });
    return socket;
  };
  const server = createServer((near) => {
    kept(near);
    carry(near, () => {
      const far = kept(connect(to, '127.0.0.1'), near);
      near.on('close', () => far.destroy());
      return far;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const strike = (): void => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    strike,
    close: () => {
      strike();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
