import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Failure } from './wire.ts';

/** Something of ours that keeps a question from its answer, by its type: see {@link Failure}. */
export class Broken extends Error {
  readonly type: string;
  readonly position: number | undefined;

  constructor(type: string, message: string, position?: number) {
    super(message);
    this.type = type;
    this.position = position;
  }
}

/** What was thrown, in a form that goes from one process to another. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof ActivateError) {
    return { type: thrown.code, message: thrown.message, fix: thrown.fix };
  }
  if (thrown instanceof Broken) {
    const { type, message, position } = thrown;
    return { type, message, position };
  }
  // What is said about a text of ours has no place in the person's.
  const { type, message } = saidBy(thrown);
  return { type, message };
}

/** What DuckDB says about the person's own text, with its place there. */
export function placed(thrown: unknown): Broken {
  const { type, message, position } = saidBy(thrown);
  return new Broken(type, message, position);
}

function saidBy(thrown: unknown): Failure {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // With `errors_as_json`, which DuckDB keeps to but for the words before it.
  const json = parsed(message.slice(Math.max(0, message.indexOf('{'))));
  if (json?.exception_type === undefined) {
    const [, type = 'unknown', words = message] = /^([\w ]+?) Error: ([\s\S]*)$/.exec(message) ?? [];
    return { type, message: words };
  }
  const { exception_type: type, exception_message: words = '', position } = json;
  return { type, message: words, position: position === undefined ? undefined : Number(position) };
}

interface ErrorJson {
  readonly exception_type?: string;
  readonly exception_message?: string;
  readonly position?: string;
}

function parsed(text: string): ErrorJson | undefined {
  try {
    return JSON.parse(text) as ErrorJson;
  } catch {
    return undefined;
  }
}
