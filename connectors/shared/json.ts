import type { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';

/**
 * What a text says in JSON, read by a shape; undefined when it is no JSON, or of another shape. So are refusals read: a
 * proxy in between answers with a page of its own.
 */
export function jsonAs<T extends z.ZodType>(text: string, shape: T): z.output<T> | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    // What is thrown quotes the text.
    return undefined;
  }
}

/**
 * Reads what is needed of an answer. Throws OUTCOME_UNKNOWN with this sentence when it is not there: nobody can say then
 * what was done.
 */
export function readOr(sentence: string): <T extends z.ZodType>(shape: T, said: unknown) => z.output<T> {
  return (shape, said) => {
    const { success, data } = shape.safeParse(said);
    if (!success) {
      throw new ActivateError('OUTCOME_UNKNOWN', sentence);
    }
    return data;
  };
}
