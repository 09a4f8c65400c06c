import { type DestinationStream, type Logger, pino } from 'pino';
import type { Log } from './contracts/log.ts';
import { masked } from './personal/mask.ts';
import { scrubbed } from './scrub.ts';

const secretNames = [
  'password',
  'token',
  'secret',
  'secrets',
  'authorization',
  'apiKey',
  'signingSecret',
  'url',
  'connectionString',
];
const redact = {
  paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  censor: '[redacted]',
};

/** A structured log: one JSON object a line, or lines for people. Secrets are struck out by name and by shape, people are masked. */
export function createLog(options: {
  readonly level: string;
  readonly format: 'json' | 'pretty';
  readonly to?: NodeJS.WritableStream;
}): Log {
  const out = options.to ?? process.stdout;
  const stream: DestinationStream = {
    write: (line: string) =>
      void out.write(masked(scrubbed(options.format === 'json' ? line : pretty(line)))),
  };
  return wrap(
    pino({ level: options.level, redact, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream),
  );
}

function wrap(logger: Logger): Log {
  return {
    debug: (facts, message) => logger.debug(facts, message),
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    error: (facts, message) => logger.error(facts, message),
    child: (facts) => wrap(logger.child(facts)),
  };
}

const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: '     ', 40: 'warn ', 50: 'ERROR' };

function pretty(line: string): string {
  const { level, time, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
  const told = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 19)} ${levels[Number(level)] ?? ''} ${String(msg)}${told.length > 0 ? `  ${told.join(' ')}` : ''}\n`;
}
