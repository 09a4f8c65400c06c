/** A number as typed; the other one where nothing was. */
export function numberOr(text: string | undefined, other: number): number {
  return text === undefined || text.trim() === '' ? other : Number(text);
}
