import { ActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import { nearest } from '../template/nearest.ts';
import { compileText } from '../template/template.ts';

/** What a file's name can say. */
export interface NameFacts {
  /** When the run began. */
  readonly at: Date;
  readonly model: string;
  readonly sync: string;
  readonly run: string;
  /** Counted from 1; written with four digits, so that parts sort. */
  readonly part: number;
}

export interface FileName {
  /** The names that it uses, for whoever has to know whether two runs can come to the same file. */
  readonly uses: readonly string[];
  /** The path, parts split by `/`. Throws TEMPLATE_INVALID when it comes to none that can be used. */
  render(facts: NameFacts): string;
}

const names = ['date', 'yyyy', 'mm', 'dd', 'hh', 'min', 'model', 'sync', 'run', 'part'] as const;
type Name = (typeof names)[number];
const columns: readonly Column[] = names.map((name) => ({ name, type: 'text', native: 'text' }));

/** In bytes: the smallest limits of what files are written to. */
const longestPart = 200;
const longestPath = 900;

/**
 * Reads a template for names of files, as `orders/{{ date }}/{{ model }}-{{ run }}.csv`; dates are those of `zone` (an
 * IANA name). Throws TEMPLATE_INVALID: an unknown name, with the nearest; a path that leaves its folder.
 */
export function compileName(template: string, zone: string): FileName {
  for (const [, name = ''] of template.matchAll(/\{\{-?\s*([\p{L}_][\p{L}\p{N}_]*)/gu)) {
    if (!(names as readonly string[]).includes(name)) {
      throw unknown(name);
    }
  }
  const text = compileText(template.trim(), columns);
  const clock = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const compiled: FileName = {
    uses: text.columns,
    render: (facts) => safe(text.render(wordsOf(facts, clock))),
  };
  compiled.render({ at: new Date(0), model: 'model', sync: 'sync', run: 'run', part: 1 });
  return compiled;
}

function wordsOf(facts: NameFacts, clock: Intl.DateTimeFormat): Readonly<Record<Name, string>> {
  const parts = Object.fromEntries(clock.formatToParts(facts.at).map(({ type, value }) => [type, value]));
  const yyyy = (parts['year'] ?? '').padStart(4, '0');
  const [mm = '', dd = '', hh = '', min = ''] = ['month', 'day', 'hour', 'minute'].map((type) => parts[type]);
  return {
    date: `${yyyy}-${mm}-${dd}`,
    yyyy,
    mm,
    dd,
    hh,
    min,
    model: word(facts.model),
    sync: word(facts.sync),
    run: word(facts.run),
    part: String(facts.part).padStart(4, '0'),
  };
}

/** A name that people gave, as one part of a path: letters and digits of any script, and `.`, `_`, `-` within. */
function word(text: string): string {
  const plain = text
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N}\p{M}._-]+/gu, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return plain === '' ? 'unnamed' : plain;
}

function safe(path: string): string {
  const odd = /[^\p{L}\p{N}\p{M}._=+@, /-]/u.exec(path)?.[0];
  if (odd !== undefined) {
    const shown = /\p{C}/u.test(odd) ? 'a sign that can not be seen' : `"${odd}"`;
    throw invalid(
      `A file's name can't have ${shown} in it.`,
      'Use letters, digits and . _ - = + @, and / between folders.',
    );
  }
  if (path === '' || path.startsWith('/')) {
    throw invalid(
      "A file's name can't be empty or begin with a slash.",
      'Begin with a letter or a digit: it is put below the folder of the connection.',
    );
  }
  for (const part of path.split('/')) {
    if (part.trim() !== part || part === '' || part === '.' || part === '..') {
      throw invalid(
        `The path "${path}" has a folder that is no name.`,
        'Put a name between each two slashes and after the last one, without spaces around it; never . or ..',
      );
    }
  }
  const longest = Math.max(...path.split('/').map((part) => Buffer.byteLength(part)));
  if (longest > longestPart || Buffer.byteLength(path) > longestPath) {
    throw invalid(
      "The file's name is too long.",
      `Keep each part below ${longestPart} bytes and the whole below ${longestPath}.`,
    );
  }
  return path;
}

function unknown(name: string): ActivateError {
  const guess = nearest(name, names);
  return invalid(
    `There is no "${name}", which {{ ${name} }} asks for.`,
    guess === undefined
      ? `A file's name can have: ${names.map((one) => `{{ ${one} }}`).join(' ')}.`
      : `Did you mean {{ ${guess} }}?`,
  );
}

function invalid(message: string, fix: string): ActivateError {
  return new ActivateError('TEMPLATE_INVALID', message, { fix });
}
