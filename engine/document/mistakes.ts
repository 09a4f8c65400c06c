import { ActivateError, asActivateError } from '../contracts/errors.ts';

/** Where something stands in a file, as ` (line 12)`; empty when it is not in it. */
export type LineOf = (path: readonly string[]) => string;

/** Collects what is wrong with the things of a file, so that a person hears all of it at once. */
export class Mistakes {
  private readonly lineOf: LineOf;
  private readonly found = new Set<string>();

  constructor(lineOf: LineOf) {
    this.lineOf = lineOf;
  }

  /** Does some work about the thing at this path. A mistake in it is kept, and undefined comes out. */
  async at<T>(path: readonly string[], work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      const error = asActivateError(thrown);
      if (error.retry !== 'never' || error.code === 'BUG') {
        throw error;
      }
      for (const sentence of sentencesOf(error, path, this.lineOf)) {
        this.found.add(sentence);
      }
      return undefined;
    }
  }

  /** Throws INPUT_INVALID when there is any. */
  mustBeNone(): void {
    if (this.found.size > 0) {
      throw mistakesIn([...this.found]);
    }
  }
}

/** One error for all that is wrong with a file. */
export function mistakesIn(all: readonly string[]): ActivateError {
  const head = `The file has ${all.length === 1 ? 'a mistake' : `${all.length} mistakes`}:`;
  const sentence = [head, ...all.map((one) => `  - ${one}`)].join('\n');
  return new ActivateError('INPUT_INVALID', sentence, { fields: { yaml: sentence } });
}

/** An error about one thing of a file that was being applied, with the place where it stands. */
export function whileApplying(thrown: unknown, path: readonly string[], lineOf: LineOf): ActivateError {
  const error = asActivateError(thrown);
  const sentence = sentencesOf(error, path, lineOf).join('\n');
  const fix = 'What comes before it in the file was applied, the rest was not.';
  return new ActivateError(error.code, sentence, {
    cause: error,
    fix,
    fields: { yaml: `${sentence}\n${fix}` },
  });
}

function sentencesOf(error: ActivateError, path: readonly string[], lineOf: LineOf): readonly string[] {
  const said = (at: readonly string[], sentence: string): string =>
    `${at.join('.')}${lineOf(at)}: ${sentence}`;
  const fields = Object.entries(error.fields ?? {});
  if (fields.length === 0) {
    return [said(path, error.fix === undefined ? error.message : `${error.message} ${error.fix}`)];
  }
  return fields.map(([field, sentence]) => {
    // Some sentences begin with the name of their field, which the place says already.
    const [own = ''] = /^[\w.]+: /.exec(sentence) ?? [];
    const rest = own.startsWith(field) ? sentence.slice(own.length) : sentence;
    return said([...path, ...inFile(field).split('.')], rest);
  });
}

/** A setting's name as a file has it; what comes behind a dot are names of others, and stay as they are. */
function inFile(name: string): string {
  return name.replace(/^\w+/, (own) => own.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}
