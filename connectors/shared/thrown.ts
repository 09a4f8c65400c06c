import { ActivateError, type ErrorCode } from '../../engine/contracts/errors.ts';

/** Whether what was thrown says one of these. */
export function hasCode(thrown: unknown, ...codes: readonly ErrorCode[]): thrown is ActivateError {
  return thrown instanceof ActivateError && codes.includes(thrown.code);
}

/** For the `catch` of a promise: undefined when what was thrown says one of these. Throws on whatever else it is. */
export function nothingOn(...codes: readonly ErrorCode[]): (thrown: unknown) => undefined {
  return (thrown) => {
    if (!hasCode(thrown, ...codes)) {
      throw thrown;
    }
  };
}
