import type { NewFile, StoredFile } from '../../engine/contracts/destination.ts';
import { ActivateError, asActivateError } from '../../engine/contracts/errors.ts';

/**
 * What came of the step that makes a file appear. `taken`: there is one of this name, and it may not be replaced. `lost`:
 * what was sent before is not there any more, because somebody else was writing to the name.
 */
export type Committed = 'made' | 'taken' | 'lost';

/**
 * Takes the last step of writing a file, and looks what came of it when nobody says, or when the name is taken: by us,
 * perhaps, for the file with our mark is our file. For stores whose last step may be asked for twice.
 */
export async function settled(
  file: Pick<NewFile, 'mark'>,
  name: string,
  signal: AbortSignal,
  look: () => Promise<StoredFile | undefined>,
  step: () => Promise<Committed>,
): Promise<void> {
  const result = await step().catch((thrown: unknown) => {
    signal.throwIfAborted();
    return asActivateError(thrown);
  });
  if (result === 'made') {
    return;
  }
  if (result instanceof ActivateError && result.retry === 'never') {
    throw result;
  }
  const there = await look().catch(() => undefined);
  signal.throwIfAborted();
  if (there?.mark === file.mark) {
    return;
  }
  if (result === 'taken') {
    throw exists(name);
  }
  if (result === 'lost') {
    throw new ActivateError('UNAVAILABLE', 'Somebody else was writing to the same name.', {
      fix: 'It is tried again by itself.',
    });
  }
  // A pause that was asked for is an answer: nothing was done. Else the request may still be on its way.
  throw result.code === 'RATE_LIMITED'
    ? result
    : new ActivateError('OUTCOME_UNKNOWN', `${result.message} The file may be written all the same.`, {
        fix: 'It is looked at again by itself.',
        cause: result,
      });
}

/** There is a file of this name that is not ours. */
export function exists(name: string): ActivateError {
  return new ActivateError('EXISTS', `There is a file named ${name} already, and it is not this one.`, {
    fix: 'Put {{ run }} into the name, or allow files to be replaced.',
  });
}
