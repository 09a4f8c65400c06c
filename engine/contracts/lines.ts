const letters: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

/** The line that says these values, in PostgreSQL's COPY text format: as the readings of a source have it. */
export function encodeLine(values: readonly (string | null)[]): Buffer {
  return Buffer.from(lineText(values));
}

/** The same as text, for those who put many lines into one buffer. */
export function lineText(values: readonly (string | null)[]): string {
  return `${values.map(fieldText).join('\t')}\n`;
}

function fieldText(value: string | null): string {
  if (value === null) {
    return '\\N';
  }
  return /[\\\b\f\n\r\t\v]/.test(value)
    ? value.replaceAll(/[\\\b\f\n\r\t\v]/g, (sign) => letters[sign] ?? sign)
    : value;
}
