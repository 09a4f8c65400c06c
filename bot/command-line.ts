import type { Dispatch, Origin, Reply } from '../engine/contracts/chat.ts';
import { type Field, type Form, type Options, splitMany } from '../engine/contracts/form.ts';
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
 * `--json` writes the reply as data. What is missing is asked for, form by form, when there is somebody to ask.
 */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<number> {
  const { dispatch, io, origin } = parts;
  const json = argv.includes('--json');
  const asks = !json && io.ask !== undefined;
  let invocation = readArguments(argv, dispatch, asks);
  for (let before: Form | undefined; ; ) {
    const reply = await dispatch.run(invocation, origin);
    if (reply.kind !== 'form') {
      return finish(reply, io, json);
    }
    const { form } = reply;
    if (!asks) {
      return refuse(form, io, json);
    }
    const answers = await askFor(form, before, parts);
    if (answers === undefined) {
      return 1;
    }
    before = form;
    invocation = { command: form.command, input: { ...form.hidden, ...answers } };
    if (answers['closed'] !== undefined) {
      const kept = await dispatch.run(invocation, origin);
      io.err(kept.kind === 'done' ? (kept.note ?? '') : '');
      return 1;
    }
  }
}

function refuse(form: Form, io: Terminal, json: boolean): number {
  const errors = mistakesOf(form);
  io.err(json ? JSON.stringify({ command: form.command, errors }) : drawMistakes(form, errors, io));
  return 1;
}

function readArguments(argv: readonly string[], dispatch: Dispatch, asks: boolean): Invocation {
  const words = argv.filter((word) => word !== '--json');
  const { command, input } = dispatch.parse(asLine(words.filter((word) => !isHelp(word))));
  if (words.some(isHelp)) {
    return { command: 'help', input: words.every(isHelp) ? {} : { about: command } };
  }
  return { command, input: asks ? { ...input, asked: 'true' } : input };
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h';
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

/**
 * Asks for the fields of a form: all of a step that is new, else those at fault. The answers have `closed` when the
 * person ended it half-way; undefined when there is nothing to ask for.
 */
async function askFor(form: Form, before: Form | undefined, parts: CliParts): Promise<Raw | undefined> {
  const { io } = parts;
  const isNew = form.step !== undefined && form.step.number !== before?.step?.number;
  const wanted = Object.keys(form.fields).filter((name) => isNew || isOpen(form, name));
  if (wanted.length === 0) {
    io.err(drawMistakes(form, mistakesOf(form), io));
    return undefined;
  }
  if (isNew) {
    const title = `${form.title} (step ${form.step.number} of ${form.step.of})`;
    io.err(`\n${drawCard({ title, blocks: form.intro, fallback: title }, io)}\n`);
  }
  // All at once and first: a secret is asked for again before the field at fault has its turn.
  for (const sentence of new Set(Object.values(form.errors))) {
    io.err(sentence);
  }
  let answers: Raw = Object.fromEntries(
    Object.keys(form.fields).map((name) => [name, form.initial[name] ?? '']),
  );
  for (const name of wanted) {
    const answer = await askField(form, name, answers, parts);
    if (answer === undefined) {
      return { ...answers, closed: 'true' };
    }
    answers = answer.trim() === '' ? answers : { ...answers, [name]: answer };
  }
  return answers;
}

/** Whether a field that was asked already is to be asked again. What is secret was kept nowhere. */
function isOpen(form: Form, name: string): boolean {
  const secret = form.fields[name]?.widget.type === 'secret';
  return secret || form.errors[''] !== undefined || mistakesOf(form)[name] !== undefined;
}

async function askField(
  form: Form,
  name: string,
  answers: Raw,
  parts: CliParts,
): Promise<string | undefined> {
  const field = form.fields[name] as Field;
  parts.io.err(introduce(field, await offers(form, name, answers, parts)));
  const before = answers[name] ?? '';
  const usual = isMany(field) ? splitMany(before).join(', ') : before;
  const skip = field.optional ? ' (Enter to skip)' : '';
  const question = `${field.label}${usual === '' ? skip : ` [${usual}]`}: `;
  return parts.io.ask?.(question, { secret: field.widget.type === 'secret' });
}

async function offers(
  form: Form,
  name: string,
  answers: Raw,
  { dispatch, origin }: CliParts,
): Promise<Options> {
  const widget = form.fields[name]?.widget;
  if (widget?.type === 'lookup') {
    return dispatch.options(form.command, name, '', { ...form.hidden, ...answers }, origin);
  }
  return widget?.type === 'choice' ? widget.options : [];
}

function isMany({ widget }: Field): boolean {
  return (widget.type === 'lookup' || widget.type === 'choice') && widget.many;
}

const offeredAtOnce = 10;

function introduce(field: Field, offered: Options): string {
  const choices = offered
    .slice(0, offeredAtOnce)
    .map(({ value, label }) => `  ${value}${label === value ? '' : ` (${label})`}`);
  const more = offered.length > offeredAtOnce ? [`  … and ${offered.length - offeredAtOnce} more`] : [];
  return [field.help, ...choices, ...more].filter((line) => line !== undefined).join('\n');
}

function finish(reply: Exclude<Reply, { kind: 'form' }>, io: Terminal, json: boolean): number {
  const failed = reply.kind === 'card' && reply.card.tone === 'bad';
  if (json) {
    const data = reply.kind === 'card' ? reply.data : undefined;
    io.out(JSON.stringify(data ?? reply, withoutBytes));
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
  return key === 'png' || (key === 'bytes' && typeof value !== 'number') ? undefined : value;
}
