import { randomBytes } from 'node:crypto';
import type { Dispatch, Origin, Reply } from '../engine/contracts/chat.ts';
import { type Caller, type Command, ROLES } from '../engine/contracts/command.ts';
import { asActivateError } from '../engine/contracts/errors.ts';
import { check, type Fields, type Form, type Options, type Values } from '../engine/contracts/form.ts';
import type { Log } from '../engine/contracts/log.ts';
import type { Invocation, PersonRef, Raw } from '../engine/contracts/refs.ts';
import { readLine } from './line.ts';
import { errorReply, trouble, waitingReply } from './replies.ts';
import { type DraftBook, Wizard, wholeNumber } from './wizard.ts';

/** A command whose field types have been forgotten, as the list of all holds it. */
// biome-ignore lint/suspicious/noExplicitAny: `check` validates the input before `run` sees it.
export type AnyCommand<S> = Command<any, S>;

export interface DispatchParts<S> {
  readonly commands: readonly AnyCommand<S>[];
  readonly services: S;
  identify(person: PersonRef): Promise<Pick<Caller, 'id' | 'name' | 'email' | 'role' | 'timeZone'>>;
  readonly drafts: DraftBook;
  audit(entry: {
    readonly caller: Caller;
    readonly command: string;
    readonly input: Raw;
    readonly outcome: string;
  }): Promise<void>;
  /** A one-time link to a page with the command's form; undefined when there is no address for it. */
  link(command: string, input: Raw, caller: Caller): Promise<string | undefined>;
  readonly log: Log;
}

/**
 * Turns a typed command, a pressed button or a submitted form into one call of one command. The only place that
 * checks who may do what. Never throws: whatever goes wrong ends in a sentence for the caller.
 */
export function createDispatch<S>(parts: DispatchParts<S>): Dispatch {
  const byName = new Map(parts.commands.map((command) => [command.name, command]));
  const parse = (line: string): Invocation => parseLine(byName, line);
  const run = (invocation: Invocation, origin: Origin): Promise<Reply> =>
    guarded(parts, byName, invocation, origin);
  return {
    parse,
    run,
    typed: (line, origin) => run(parse(line), origin),
    options: (command, field, typed, input, origin) =>
      lookUp(parts, byName.get(command), { field, typed, input, origin }),
    complete: async (line) => complete(parts.commands, line),
    mayOpenForm: (invocation) => mayOpenForm(byName.get(invocation.command), invocation),
  };
}

function parseLine<S>(byName: ReadonlyMap<string, AnyCommand<S>>, line: string): Invocation {
  const text = line.trim().replace(/^\/activate\b\s*/, '');
  const [, name = '', rest = ''] = /^(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  const command = byName.get(name.toLowerCase());
  if (command === undefined) {
    return { command: name === '' ? 'home' : name, input: {} };
  }
  const fields = command.fields as Fields;
  const positional = command.positional ?? [];
  const verbatim = positional.find((field) => fields[field]?.widget.type === 'area');
  const names = Object.keys(fields);
  const flags = names.filter((field) => isFlag(fields[field]));
  return { command: command.name, input: readLine(rest, { names, positional, verbatim, flags }) };
}

function isFlag(field: Fields[string] | undefined): boolean {
  const { widget } = field ?? {};
  return widget?.type === 'choice' && widget.options.some((option) => option.value === 'true');
}

function mayOpenForm<S>(command: AnyCommand<S> | undefined, { input }: Invocation): boolean {
  if (command === undefined || Object.keys(command.fields).length === 0) {
    return false;
  }
  // Asked already: the form comes back with what is wrong.
  const asks = command.steps !== undefined || command.showsForm === true || input['asked'] !== undefined;
  return asks || !check(command.fields as Fields, input).ok;
}

async function guarded<S>(
  parts: DispatchParts<S>,
  byName: ReadonlyMap<string, AnyCommand<S>>,
  invocation: Invocation,
  origin: Origin,
): Promise<Reply> {
  const command = byName.get(invocation.command);
  if (command === undefined) {
    return unknownCommand(parts.commands, invocation.command);
  }
  const input = knownInput(command, invocation.input);
  try {
    const caller: Caller = {
      ...origin,
      ...(await parts.identify(origin.person)),
      platform: origin.person.platform,
    };
    if (ROLES.indexOf(caller.role) < ROLES.indexOf(command.access)) {
      await noted(parts, caller, command, input, 'refused');
      const sentence = `${command.title} needs the role ${command.access}; yours is ${caller.role}.`;
      return trouble('You may not do that', sentence, 'Ask an admin.', []);
    }
    const unread = invocation.input[''];
    return unread === undefined ? await allowed(parts, command, input, caller) : misread(command, unread);
  } catch (thrown) {
    const reference = randomBytes(4).toString('hex');
    const error = asActivateError(thrown);
    const facts = { command: command.name, code: error.code, reference };
    if (error.code === 'BUG') {
      const stack = error.cause instanceof Error ? error.cause.stack : error.stack;
      parts.log.error({ ...facts, stack }, 'command failed');
    } else {
      parts.log.info({ ...facts, reason: error.message }, 'command could not be done');
    }
    // A button is stored with its message, so that no secret may be in it.
    return errorReply(error, { command: command.name, input: withoutSecrets(command, input) }, reference);
  }
}

/** What a form carries unseen, beside the fields. */
const carried = ['draft', 'step', 'back', 'closed', 'linked', 'asked'];

function knownInput<S>(command: AnyCommand<S>, input: Raw): Raw {
  const known = (name: string): boolean => Object.hasOwn(command.fields as Fields, name);
  return Object.fromEntries(Object.entries(input).filter(([name]) => known(name) || carried.includes(name)));
}

function misread<S>(command: AnyCommand<S>, unread: string): Reply {
  return trouble(
    'I did not get all of that',
    `${command.name} does not know what to do with "${unread}".`,
    `A line that works: ${command.example}`,
    [{ type: 'button', label: 'Help', run: { command: 'help', input: { about: command.name } } }],
  );
}

/** Notes how a command ended. It has ended by then, so that a failing note must not look like a failing command. */
async function noted<S>(
  parts: DispatchParts<S>,
  caller: Caller,
  command: AnyCommand<S>,
  input: Raw,
  outcome: string,
): Promise<void> {
  try {
    const given = withoutSecrets(command, input);
    const answers = Object.entries(given).filter(([name]) => !carried.includes(name));
    await parts.audit({ caller, command: command.name, input: Object.fromEntries(answers), outcome });
  } catch (error) {
    parts.log.error({ command: command.name, outcome, error: String(error) }, 'audit could not be written');
  }
}

/** Runs a command for somebody who may: asks for what is missing, keeps what was typed, and notes how it ended. */
async function allowed<S>(
  parts: DispatchParts<S>,
  command: AnyCommand<S>,
  input: Raw,
  caller: Caller,
): Promise<Reply> {
  if (needsLink(command, input, caller)) {
    return linkReply(parts, command, withoutSecrets(command, input), caller);
  }
  const finish = async (values: Values<Fields>, raw: Raw): Promise<Reply> => {
    try {
      const reply = await command.run(values, caller, parts.services);
      await noted(parts, caller, command, raw, 'ok');
      return reply;
    } catch (thrown) {
      const error = asActivateError(thrown);
      await noted(parts, caller, command, raw, error.code);
      if (error.code === 'AWAITS_APPROVAL') {
        return waitingReply(error);
      }
      throw thrown;
    }
  };
  const { closed, asked, ...raw } = input;
  const opening = openingFields(command);
  try {
    if (command.steps !== undefined) {
      const checked = check(opening, raw);
      const begins = raw['draft'] === undefined && closed === undefined;
      return begins && !checked.ok && (caller.platform !== 'cli' || asked !== undefined)
        ? { kind: 'form', form: formOf(command, opening, input, checked.errors) }
        : await new Wizard(parts, command, caller, finish).go(input);
    }
    if (closed !== undefined) {
      return { kind: 'done' };
    }
    const checked = check(opening, raw);
    return checked.ok
      ? await finish(checked.values, raw)
      : { kind: 'form', form: formOf(command, opening, input, checked.errors) };
  } catch (thrown) {
    const errors = Object.entries(asActivateError(thrown).fields ?? {});
    const atFields = errors.filter(([name]) => Object.hasOwn(opening, name));
    if (atFields.length === 0) {
      throw thrown;
    }
    const answered = opensOnly(opening, input, caller) ? raw : { ...raw, asked: 'true' };
    return { kind: 'form', form: formOf(command, opening, answered, Object.fromEntries(atFields)) };
  }
}

/** Somebody who can be asked gave nothing at all: then nothing is wrong yet, whatever the command says. */
function opensOnly(fields: Fields, input: Raw, { platform }: Caller): boolean {
  const isGiven = (name: string): boolean => (input[name] ?? '').trim() !== '';
  return platform !== 'cli' && input['asked'] === undefined && !Object.keys(fields).some(isGiven);
}

/** What is asked before anything else: all fields, or, of a command in steps, those that say what it is about. */
function openingFields<S>(command: AnyCommand<S>): Fields {
  const fields = command.fields as Fields;
  if (command.steps === undefined) {
    return fields;
  }
  return Object.fromEntries(
    (command.positional ?? []).flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
  );
}

function formOf<S>(command: AnyCommand<S>, fields: Fields, input: Raw, errors: Raw): Form {
  // A form that opens does not scold for what is missing: nobody was asked yet.
  const shown = Object.entries(errors).filter(
    ([name]) => input['asked'] !== undefined || (input[name] ?? '').trim() !== '',
  );
  const given = Object.entries(withoutSecrets(command, input)).filter(([name]) =>
    Object.hasOwn(fields, name),
  );
  const isHidden = (name: string): boolean =>
    (command.carried ?? []).includes(name) && (input[name] ?? '') !== '' && errors[name] === undefined;
  return {
    command: command.name,
    title: command.title,
    intro: [],
    fields: Object.fromEntries(Object.entries(fields).filter(([name]) => !isHidden(name))),
    initial: Object.fromEntries(given.filter(([name]) => !isHidden(name))),
    errors: Object.fromEntries(shown),
    hidden: { ...Object.fromEntries(given.filter(([name]) => isHidden(name))), asked: 'true' },
    submit: command.submit ?? (command.steps === undefined ? 'Go' : 'Next'),
  };
}

/** A chat's own form can't hide what is typed into it, so secrets are asked for on a page of ours. */
function needsLink<S>(command: AnyCommand<S>, input: Raw, caller: Caller): boolean {
  const secret = Object.values(command.fields as Fields).some((field) => field.widget.type === 'secret');
  return secret && caller.platform !== 'local' && caller.platform !== 'cli' && input['linked'] === undefined;
}

async function linkReply<S>(
  parts: DispatchParts<S>,
  command: AnyCommand<S>,
  input: Raw,
  caller: Caller,
): Promise<Reply> {
  const url = await parts.link(command.name, input, caller);
  if (url === undefined) {
    return trouble(
      'Not in a chat',
      'This asks for a password, which must not be typed into a chat.',
      `Run "npx activate ${command.name}" in a terminal on the machine of the bot, or set PUBLIC_URL so that I can give you a link.`,
      [],
    );
  }
  const card = {
    title: command.title,
    blocks: [
      {
        type: 'text',
        text: [
          'This asks for a password, so it has a page of its own. The link works once, for half an hour.',
        ],
      },
      { type: 'actions', actions: [{ type: 'link', label: 'Open the form', url }] },
    ],
    fallback: 'Open the form on its own page.',
  } as const;
  return { kind: 'card', card, to: 'caller' };
}

function withoutSecrets<S>(command: AnyCommand<S>, input: Raw): Raw {
  const fields = command.fields as Fields;
  return Object.fromEntries(Object.entries(input).filter(([name]) => fields[name]?.widget.type !== 'secret'));
}

async function lookUp<S>(
  parts: DispatchParts<S>,
  command: AnyCommand<S> | undefined,
  asked: { readonly field: string; readonly typed: string; readonly input: Raw; readonly origin: Origin },
): Promise<Options> {
  const widget = (command?.fields as Fields | undefined)?.[asked.field]?.widget;
  const lookup = widget?.type === 'lookup' ? command?.lookups?.[widget.lookup] : undefined;
  if (command === undefined || lookup === undefined) {
    return [];
  }
  try {
    const caller = {
      ...asked.origin,
      ...(await parts.identify(asked.origin.person)),
      platform: asked.origin.person.platform,
    };
    if (ROLES.indexOf(caller.role) < ROLES.indexOf(command.access)) {
      return [];
    }
    const kept = await parts.drafts.get(Number(caller.id), wholeNumber(asked.input['draft']) ?? 0);
    return (await lookup(asked.typed, { ...kept?.answers, ...asked.input }, caller, parts.services)).slice(
      0,
      20,
    );
  } catch (error) {
    parts.log.info(
      { command: command.name, field: asked.field, reason: String(error) },
      'options could not be looked up',
    );
    return [];
  }
}

function complete<S>(commands: readonly AnyCommand<S>[], line: string): Options {
  const typed = line
    .trim()
    .replace(/^\/activate\b\s*/, '')
    .toLowerCase();
  return commands
    .filter((command) => command.hidden !== true && command.name.startsWith(typed))
    .map((command) => ({ value: command.name, label: `/activate ${command.name}`, hint: command.summary }));
}

function unknownCommand<S>(commands: readonly AnyCommand<S>[], name: string): Reply {
  const known = commands.filter((command) => command.hidden !== true).map((command) => command.name);
  const close = known.filter(
    (other) => distance(other, name.toLowerCase()) <= 2 || other.includes(name.toLowerCase()),
  );
  const fix = close.length === 0 ? 'See /activate help.' : `Did you mean ${close.slice(0, 3).join(', ')}?`;
  return trouble('I do not know that one', `There is no command "${name}".`, fix, [
    ...close
      .slice(0, 2)
      .map((other) => ({ type: 'button', label: other, run: { command: other, input: {} } }) as const),
    { type: 'button', label: 'Help', run: { command: 'help', input: {} } },
  ]);
}

/** Letters to change, to add or to leave out to get from one word to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(
        Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
