import { parseArgs } from 'node:util';
import { drill } from './drill.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    workers: { type: 'string', default: '2' },
    kills: { type: 'string', default: '60' },
  },
});
const result = await drill({
  runs: Number(values.runs),
  workers: Number(values.workers),
  kills: Number(values.kills),
  log: (line) => process.stdout.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
const wrong = [...result.lost, ...result.doubled, ...result.stale, ...result.strange];
process.stdout.write(
  wrong.length === 0 ? 'Every message is there exactly once.\n' : `${wrong.length} wrong.\n`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
