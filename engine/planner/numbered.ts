/** Lines with a running number before each, for rows that have no key of their own. */
export async function* numberedLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let number = 0;
  let atStart = true;
  for await (const piece of pieces) {
    const parts: Uint8Array[] = [];
    for (let from = 0; from < piece.length; ) {
      if (atStart) {
        number += 1;
        parts.push(Buffer.from(`${number}\t`));
      }
      const end = piece.indexOf(0x0a, from);
      atStart = end !== -1;
      const to = end === -1 ? piece.length : end + 1;
      parts.push(piece.subarray(from, to));
      from = to;
    }
    yield Buffer.concat(parts);
  }
}
