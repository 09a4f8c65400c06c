/** Messages are constant text; facts go beside them. error = our bug, warn = look at in batches, info = normal life. */
export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(facts: object): Log;
}
