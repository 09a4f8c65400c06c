/**
 * Moments of events as whole numbers that compare: microseconds since 1970 for a time, the number itself (in millionths)
 * for a column of numbers. Exact, as text of digits. Undefined for what is no moment: `infinity`, `NaN`, years before
 * Christ.
 */
export function momentOf(text: string): bigint | undefined {
  const number = /^(-?)(\d+)(?:\.(\d+))?(?:e\+?(\d{1,3}))?$/.exec(text.trim());
  if (number !== null) {
    const [, sign, whole = '0', fraction = '', exponent = '0'] = number;
    const places = 6 + Number(exponent);
    const value = BigInt(whole + fraction.slice(0, places).padEnd(places, '0'));
    return sign === '-' ? -value : value;
  }
  const time = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?([-+]\d\d(?::?\d\d)?|Z)?)?$/.exec(
    text.trim(),
  );
  if (time === null) {
    return undefined;
  }
  const [, date = '', clock = '00:00:00', fraction = '', zone = 'Z'] = time;
  const shift = zone === 'Z' ? 'Z' : zone.length === 3 ? `${zone}:00` : zone;
  const seconds = Date.parse(`${date}T${clock}${shift}`);
  return Number.isNaN(seconds) ? undefined : BigInt(seconds) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/** A moment as a source takes it in `Query.since`. */
export function writeMoment(moment: bigint, isTime: boolean): string {
  if (isTime) {
    const ms = moment >= 0n ? moment / 1000n : (moment - 999n) / 1000n;
    const micros = moment - ms * 1000n;
    return new Date(Number(ms)).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
  }
  const whole = moment / 1_000_000n;
  const rest = (moment < 0n ? -moment : moment) % 1_000_000n;
  return `${moment < 0n && whole === 0n ? '-' : ''}${whole}.${String(rest).padStart(6, '0')}`;
}
