import type { z } from 'zod';

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
