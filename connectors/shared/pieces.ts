/**
 * The same bytes in pieces of the sizes that a far side takes: `bytesOf` gives the size by the piece's number from 1. The
 * last one may be smaller, and there is always one: of no bytes for a body of none.
 */
export async function* piecesOf(
  body: AsyncIterable<Uint8Array>,
  bytesOf: (number: number) => number,
): AsyncGenerator<Uint8Array, undefined> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  let number = 1;
  for await (const chunk of body) {
    let rest = chunk;
    while (bytes + rest.byteLength >= bytesOf(number)) {
      const taken = rest.subarray(0, bytesOf(number) - bytes);
      rest = rest.subarray(taken.byteLength);
      yield Buffer.concat([...held, taken]);
      held = [];
      bytes = 0;
      number += 1;
    }
    if (rest.byteLength > 0) {
      held.push(rest);
      bytes += rest.byteLength;
    }
  }
  if (bytes > 0 || number === 1) {
    yield Buffer.concat(held);
  }
  return undefined;
}
