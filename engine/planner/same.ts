const smallest = 32;

/**
 * How many bytes are the same in both from these places on, `most` at most; a few less when a difference is near. Goes
 * in steps that double while all is the same, and halve before a difference.
 */
export function sameBytes(a: Buffer, aStart: number, b: Buffer, bStart: number, most: number): number {
  let same = 0;
  let differs = false;
  for (let step = smallest; same < most && step >= smallest; ) {
    const i = aStart + same;
    const j = bStart + same;
    const next = Math.min(step, most - same);
    if (a.compare(b, j, j + next, i, i + next) === 0) {
      same += next;
    } else {
      differs = true;
    }
    step = differs ? step / 2 : step * 2;
  }
  return same;
}
