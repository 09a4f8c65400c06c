import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { config } from 'dotenv';
import { ActivateError, asActivateError } from '../engine/contracts/errors.ts';
import { parseEnv } from '../engine/env.ts';
import { createLog } from '../engine/log.ts';
import { runCli, type Terminal } from './command-line.ts';
import { commands, dispatchOf } from './commands.ts';
import { manifest } from './manifest.ts';
import { start } from './roof.ts';

config({ quiet: true });
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const { code, message, fix, cause } = asActivateError(thrown);
  const detail = code === 'BUG' && cause instanceof Error ? `\n${cause.stack}` : '';
  process.stderr.write(`${message}\n${fix === undefined ? '' : `${fix}\n`}${detail}`);
  process.exitCode = 1;
}

/** Runs one command line and answers with the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'manifest') {
    const shown = commands.filter((command) => command.hidden !== true);
    process.stdout.write(`${await manifest(argv.slice(1), shown, process.env)}\n`);
    return 0;
  }
  const env = parseEnv(process.env);
  // What is printed is the answer; the log is for whoever asks for it.
  const level = env.LOG_LEVEL === 'debug' ? 'debug' : 'error';
  const log = createLog({ level, format: 'pretty', to: process.stderr });
  // Whoever waits for a run must not depend on a worker elsewhere.
  const worker = argv.some((word) => /^(?:--wait|(?:--)?wait=true)$/.test(word));
  const running = await start(env, { web: false, worker, demo: false }, log);
  try {
    const id = userInfo().username;
    return await runCli(await withFile(argv), {
      dispatch: dispatchOf(running.app),
      io: terminal(),
      origin: {
        person: { kind: 'person', platform: 'cli', id },
        conversation: { kind: 'conversation', platform: 'cli', id: 'terminal' },
        direct: true,
      },
    });
  } finally {
    await running.stop();
  }
}

/** `plan` and `apply` take a file's name: what they get is the file. */
async function withFile(argv: readonly string[]): Promise<readonly string[]> {
  const [command = '', path, ...rest] = argv;
  if (!['plan', 'apply'].includes(command) || path === undefined || /^(--|yaml=)/.test(path)) {
    return argv;
  }
  try {
    return [command, `yaml=${await readFile(path, 'utf8')}`, ...rest];
  } catch (cause) {
    throw new ActivateError('INPUT_INVALID', `The file ${path} can't be read.`, { cause });
  }
}

function terminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const io = {
    color: stdout.isTTY === true && env['NO_COLOR'] === undefined,
    width: stdout.columns ?? 80,
    out: (text: string) => void stdout.write(`${text}\n`),
    err: (text: string) => void stderr.write(`${text}\n`),
  };
  return stdin.isTTY === true && stderr.isTTY === true ? { ...io, ask } : io;
}

/** Asks on the terminal. A secret is not echoed; Ctrl-D and Ctrl-C end the input. */
async function ask(question: string, { secret }: { readonly secret: boolean }): Promise<string | undefined> {
  process.stderr.write(question);
  const output = secret ? new Writable({ write: (_chunk, _encoding, next) => next() }) : process.stderr;
  const lines = createInterface({ input: process.stdin, output, terminal: true, prompt: question });
  try {
    return await new Promise((resolve) => {
      lines.once('line', resolve);
      lines.once('SIGINT', () => resolve(undefined));
      lines.once('close', () => resolve(undefined));
    });
  } finally {
    lines.close();
    if (secret) {
      process.stderr.write('\n');
    }
  }
}
