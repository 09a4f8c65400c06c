import { readdirSync, readFileSync } from 'node:fs';

/** Processes that this one has started and whose command line has these words, by their ids. Where there is `/proc`. */
export function childrenWith(words: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const status = read(`/proc/${pid}/status`);
      return (
        new RegExp(`^PPid:\\s*${process.pid}$`, 'm').test(status) &&
        read(`/proc/${pid}/cmdline`).includes(words)
      );
    });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}
