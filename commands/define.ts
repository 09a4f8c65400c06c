import type { Command } from '../engine/contracts/command.ts';
import type { Fields } from '../engine/contracts/form.ts';
import type { Services } from '../engine/services.ts';

/** Exists for inference: the fields of a command type what its `run` gets. */
export function defineCommand<const F extends Fields>(command: Command<F, Services>): Command<F, Services> {
  return command;
}

/** A command whose field types have been forgotten, as the list of all holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the dispatcher checks the input before `run` sees it.
export type AnyCommand = Command<any, Services>;
