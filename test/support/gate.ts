import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What becomes of the bytes at which a {@link Gate} strikes: they arrive and are never answered, or are lost. */
export type Struck = 'arrived' | 'lost';

/** A way to a server that can be closed, and on which somebody can be struck down in the middle of a sentence. */
export interface Gate {
  readonly port: number;
  /** Pieces that clients have sent so far. */
  readonly passed: number;
  /** Nothing listens any more, and all connections are cut. */
  shut(): Promise<void>;
  open(): Promise<void>;
  /** Resolves with the piece that is sent so many pieces from now; from then on that connection hears nothing more. */
  strike(pieces: number, how: Struck): Promise<void>;
  /** Cuts all connections, as when the process at their other end is gone. What has been sent still arrives. */
  cut(): void;
  close(): Promise<void>;
}

/** Leads to a port of 127.0.0.1. */
export async function startGate(to: number): Promise<Gate> {
  const pairs = new Set<Pair>();
  let passed = 0;
  let planned: { readonly at: number; readonly how: Struck; readonly tell: () => void } | undefined;
  const struck = (): Struck | undefined => {
    passed += 1;
    if (planned === undefined || passed < planned.at) {
      return undefined;
    }
    const { how, tell } = planned;
    planned = undefined;
    tell();
    return how;
  };
  const server = createServer((client) => {
    const pair = pairUp(client, to, struck);
    pairs.add(pair);
    client.once('close', () => pairs.delete(pair));
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const shut = async (): Promise<void> => {
    const gone = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const { client, far } of pairs) {
      client.destroy();
      far.destroy();
    }
    await gone;
  };
  return {
    port,
    get passed() {
      return passed;
    },
    shut,
    open: () => listen(server, port),
    cut: () => {
      for (const { client } of pairs) {
        client.destroy();
      }
    },
    strike: (pieces, how) =>
      new Promise((tell) => {
        planned = { at: passed + pieces, how, tell };
      }),
    close: async () => {
      if (server.listening) {
        await shut();
      }
    },
  };
}

interface Pair {
  readonly client: Socket;
  readonly far: Socket;
}

function pairUp(client: Socket, to: number, struck: () => Struck | undefined): Pair {
  const far = connect(to, '127.0.0.1');
  client.setNoDelay(true);
  far.setNoDelay(true);
  let deaf = false;
  client.on('data', (piece) => {
    const how = struck();
    deaf ||= how !== undefined;
    if (how !== 'lost') {
      far.write(piece);
    }
  });
  far.on('data', (piece) => {
    if (!deaf) {
      client.write(piece);
    }
  });
  client.on('error', () => client.destroy());
  far.on('error', () => client.destroy());
  // What has been sent is heard to its end, whoever sent it.
  client.once('close', () => far.end());
  far.once('close', () => client.destroy());
  return { client, far };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}
