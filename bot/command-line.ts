import type { Dispatch, Origin, Reply } from '../engine/contracts/chat.ts';
import type { Field, Form } from '../engine/contracts/form.ts';
import type { Invocation, Raw } from '../engine/contracts/refs.ts';
import { drawCard, drawMistakes, type Screen } from './terminal.ts';

/** A terminal, or what stands in for one. */
export interface Terminal extends Screen {
  out(text: string): void;
  err(text: string): void;
  /** Asks a person; undefined when they end the input. Absent when nobody is there to be asked. */
  readonly ask?: (question: string, options: { readonly secret: boolean }) => Promise<string | undefined>;
}

export interface CliParts {
  readonly dispatch: Dispatch;
  readonly io: Terminal;
  readonly origin: Origin;
}

/**
 * Runs one command as given after `npx activate`, and answers with the exit code: 0, or 1 when it could not be done.
 * `--json` writes the reply as data. What is missing is asked for, one field at a time, when there is somebody to ask.
 */
export async function runCli(argv: readonly string[], { dispatch, io, origin }: CliParts): Promise<number> {
  const json = argv.includes('--json');
  const words = argv.filter((word) => word !== '--json');
  const { command, input } = dispatch.parse(asLine(words));
  const asksForHelp = words.some((word) => word === '--help' || word === '-h');
  const first: Invocation = asksForHelp
    ? { command: 'help', input: command === 'help' || command.startsWith('-') ? {} : { about: command } }
    : { command, input };
  for (let invocation = first; ; ) {
    const reply = await dispatch.run(invocation, origin);
    if (reply.kind !== 'form') {
      return finish(reply, io, json);
    }
    const mistakes = mistakesOf(reply.form);
    if (json || io.ask === undefined) {
      io.err(
        json
          ? JSON.stringify({ command: reply.form.command, errors: mistakes })
          : drawMistakes(reply.form, mistakes, io),
      );
      return 1;
    }
    const answers = await askFor(reply.form, mistakes, { dispatch, io, origin });
    if (answers === undefined) {
      return 1;
    }
    invocation = {
      command: reply.form.command,
      input: { ...invocation.input, ...reply.form.hidden, ...answers },
    };
  }
}

/** What the shell has split, put together so that the parser splits it the same way. */
function asLine(words: readonly string[]): string {
  return words
    .map((word, at) => {
      if (at === 0 || /^--[A-Za-z][\w-]*$/.test(word)) {
        return word;
      }
      const [, name = '', value = word] = /^((?:--)?[A-Za-z][\w-]*=)([\s\S]*)$/.exec(word) ?? [];
      return `${name}"${value.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
    })
    .join(' ');
}

/** The errors of a form, and the fields that are still open. */
function mistakesOf(form: Form): Raw {
  const open = Object.entries(form.fields).filter(
    ([name, field]) => !field.optional && (form.initial[name] ?? '').trim() === '',
  );
  return { ...Object.fromEntries(open.map(([name]) => [name, 'Fill this in.'])), ...form.errors };
}

/** Asks for every field at fault; undefined when the person ends it, or when there is no field to ask for. */
async function askFor(
  form: Form,
  mistakes: Raw,
  { dispatch, io, origin }: CliParts,
): Promise<Raw | undefined> {
  const wanted = Object.entries(form.fields).filter(([name]) => mistakes[name] !== undefined);
  if (wanted.length === 0 || io.ask === undefined) {
    io.err(drawMistakes(form, mistakes, io));
    return undefined;
  }
  if (mistakes[''] !== undefined) {
    io.err(mistakes['']);
  }
  const answers: Record<string, string> = {};
  for (const [name, field] of wanted) {
    const typed = { ...form.initial, ...form.hidden, ...answers };
    const offered =
      field.widget.type === 'lookup'
        ? await dispatch.options(form.command, name, '', typed, origin)
        : field.widget.type === 'choice'
          ? field.widget.options
          : [];
    io.err(introduce(field, form.errors[name], offered));
    const answer = await io.ask(`${field.label}: `, { secret: field.widget.type === 'secret' });
    if (answer === undefined) {
      return undefined;
    }
    answers[name] = answer;
  }
  return answers;
}

const offeredAtOnce = 10;

function introduce(
  field: Field,
  error: string | undefined,
  offered: readonly { readonly value: string; readonly label: string }[],
): string {
  const choices = offered
    .slice(0, offeredAtOnce)
    .map(({ value, label }) => `  ${value}${label === value ? '' : ` (${label})`}`);
  const more = offered.length > offeredAtOnce ? [`  … and ${offered.length - offeredAtOnce} more`] : [];
  return [error, field.help, ...choices, ...more].filter((line) => line !== undefined).join('\n');
}

function finish(reply: Exclude<Reply, { kind: 'form' }>, io: Terminal, json: boolean): number {
  const failed = reply.kind === 'card' && reply.card.tone === 'bad';
  if (json) {
    io.out(JSON.stringify(reply, withoutBytes));
    return failed ? 1 : 0;
  }
  const text = reply.kind === 'card' ? drawCard(reply.card, io) : reply.note;
  if (text !== undefined) {
    (failed ? io.err : io.out)(text);
  }
  return failed ? 1 : 0;
}

/** Pictures and files are left out of JSON: whoever reads that wants the data, which the card has as text. */
function withoutBytes(key: string, value: unknown): unknown {
  return key === 'png' || key === 'bytes' ? undefined : value;
}
