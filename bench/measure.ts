import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { settledCpu } from './cpu.ts';

export interface Measured {
  readonly what: string;
  readonly seconds: number;
  /** Of our process (or psql) and of the whole database server. */
  readonly cpuSeconds: number;
  /** The server's part of it. */
  readonly serverCpuSeconds: number;
  readonly peakMb?: number;
}

/** CPU seconds of psql itself. */
export async function copyToNowhere(url: string, sql: string, wanted: readonly string[]): Promise<number> {
  const copy = `copy (select ${wanted.join(', ')} from (${sql}) q) to stdout`;
  const child = spawn('sh', ['-c', 'psql "$1" -qXc "$2" > /dev/null && times', 'sh', url, copy], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) {
    throw new Error('psql is missing, or could not copy: there is nothing to compare with');
  }
  const times = [...(said.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  return times.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

/** Runs the work and adds up what it cost here, in the child it reports on, and at the server. */
export async function measure(
  what: string,
  server: number,
  work: () => Promise<number | undefined>,
): Promise<Measured> {
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  const theirs = await settledCpu(server);
  const [startedAt, own] = [performance.now(), process.cpuUsage()];
  const child = await work();
  const { user, system } = process.cpuUsage(own);
  clearInterval(sampling);
  const ours = child ?? (user + system) / 1e6;
  const seconds = (performance.now() - startedAt) / 1000;
  const serverCpuSeconds = (await settledCpu(server)) - theirs;
  return {
    what,
    seconds,
    cpuSeconds: ours + serverCpuSeconds,
    serverCpuSeconds,
    ...(child === undefined ? { peakMb: peak / 1e6 } : {}),
  };
}
