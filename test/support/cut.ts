import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server on which its answers can be cut at any byte. */
export interface CutWay {
  readonly port: number;
  /** Bytes that came back over it since the last {@link CutWay.after}. */
  readonly came: number;
  /** From now on, so many bytes come back over all connections together; then each that has more to say is broken. */
  after(bytes: number): void;
  /** Breaks all connections now. */
  strike(): void;
  close(): Promise<void>;
}

/** Leads to a port of 127.0.0.1. */
export async function startCutWay(to: number): Promise<CutWay> {
  const sockets = new Set<Socket>();
  let came = 0;
  let most = Number.POSITIVE_INFINITY;
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.on('drain', () => other.resume());
    }
    near.on('data', (bytes) => {
      if (!far.write(bytes)) {
        near.pause();
      }
    });
    far.on('data', (bytes: Buffer) => {
      const part = bytes.subarray(0, Math.max(0, most - came));
      came += part.length;
      if (part.length < bytes.length) {
        near.end(part);
        far.destroy();
      } else if (!near.write(part)) {
        far.pause();
      }
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
    get came() {
      return came;
    },
    after: (bytes) => {
      most = bytes;
      came = 0;
    },
    strike,
    close: () => {
      strike();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
