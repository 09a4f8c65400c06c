import { type Relay, startRelay } from './relay.ts';

/** A way to a server on which its answers can be cut at any byte. */
export interface CutWay extends Relay {
  /** Bytes that came back over it since the last {@link CutWay.after}. */
  readonly came: number;
  /** From now on, so many bytes come back over all connections together; then each that has more to say is broken. */
  after(bytes: number): void;
}

/** Leads to a port of 127.0.0.1. */
export async function startCutWay(to: number): Promise<CutWay> {
  let came = 0;
  let most = Number.POSITIVE_INFINITY;
  const relay = await startRelay(to, (near, open) => {
    const far = open();
    near.on('drain', () => far.resume());
    far.on('drain', () => near.resume());
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
  return {
    ...relay,
    get came() {
      return came;
    },
    after: (bytes) => {
      most = bytes;
      came = 0;
    },
  };
}
