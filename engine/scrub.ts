/** Credentials by their shape: tokens of Slack, and the password in an address. */
const shapes = /(xox[a-z]-|xapp-)[\w-]+|((?<!\w)\w+:\/\/[^:/\s]+:)[^@\s]+@/g;

/** The text without credentials that tell themselves by their shape, as they come in a driver's error, say. */
export function scrubbed(text: string): string {
  return text.replaceAll(shapes, (_all, slack: string | undefined, address: string | undefined) =>
    slack === undefined ? `${address ?? ''}[redacted]@` : `${slack}[redacted]`,
  );
}

const telling = String.raw`[\w-]*(?:passw|pwd|secret|token|api[_-]?key|private[_-]?key|credential|authorization)[\w-]*`;
const named = new RegExp(
  // Only from where a word begins: a long one is not tried from each of its letters.
  String.raw`((?<![\w-])${telling}["']?[ \t]*[:=][ \t]*)(?!["']?\$\{CONNECTION_)("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,}\])][^\n,}]*)`,
  'gi',
);
const isTelling = new RegExp(`^${telling}$`, 'i');
/** The block of a file that holds nothing but secrets, with all that is indented below it. */
const block = /^([ \t]*)secrets:[^\n]*(?:\n(?:\1[ \t]+[^\n]*|[ \t]*(?=\n|$)))*/gm;

/**
 * A text that a person typed, a file say, without what is secret in it: by shape, by the name it is given, and by where
 * it stands. References to the environment stay.
 */
function withoutSecretsInText(text: string): string {
  return scrubbed(
    text
      .replaceAll(block, (all, indent: string) =>
        onlyReferences(all) ? all : `${indent}secrets: [redacted]`,
      )
      .replaceAll(named, '$1[redacted]'),
  );
}

/** Whether each value in the block of secrets of a file names the environment, as it has to. */
function onlyReferences(lines: string): boolean {
  const values = lines
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '');
  return (
    values.length > 0 && values.every((line) => /:\s*["']?\$\{CONNECTION_[A-Z0-9_]+\}["']?\s*$/.test(line))
  );
}

/** The same for a value of any shape: what a name tells to be secret is left out, texts are gone through. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') {
    return withoutSecretsInText(value);
  }
  if (Array.isArray(value)) {
    return value.map(withoutSecrets);
  }
  if (value === null || typeof value !== 'object' || value instanceof Date) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      isTelling.test(name) && typeof one !== 'boolean' && one !== null ? '[redacted]' : withoutSecrets(one),
    ]),
  );
}
