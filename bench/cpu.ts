import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { Db } from '../engine/contracts/db.ts';

/** The main process of the database server behind this connection, which must run on this machine. */
export async function postmaster(db: Db): Promise<number> {
  const [row] = await db.query<{ pid: number }>('select pg_backend_pid() as pid');
  return Number((await statOf(row?.pid ?? 0))[1]);
}

/** CPU seconds of a process so far. Linux only, as all here: read from /proc. */
export async function cpuOf(pid: number): Promise<number> {
  return seconds(await statOf(pid), 11, 13);
}

/** {@link serverCpu} once it stands still: a backend that ended counts only after its parent has noticed. */
export async function settledCpu(server: number): Promise<number> {
  let before = -1;
  for (let now = await serverCpu(server); now !== before; now = await serverCpu(server)) {
    before = now;
    await setTimeout(200);
  }
  return before;
}

/** CPU seconds of a database server: its main process, the backends that ended, and those that live. */
export async function serverCpu(server: number): Promise<number> {
  let sum = seconds(await statOf(server), 11, 15);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process may end while we look: then it is in the sum of its parent.
    const stat = await statOf(Number(pid)).catch(() => []);
    sum += stat[1] === String(server) ? seconds(stat, 11, 13) : 0;
  }
  return sum;
}

/** The largest resident memory of a process in MB, since it began or {@link forgetPeak}. */
export async function peakMb(pid: number): Promise<number> {
  const [, kibibytes] = /^VmHWM:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kibibytes) * 1024) / 1e6;
}

export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

function seconds(stat: readonly string[], from: number, to: number): number {
  return stat.slice(from, to).reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
}

/** The fields of /proc/<pid>/stat from the state on: the name before it may hold anything. */
async function statOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
