import { parseArgs } from 'node:util';
import { drill } from './drill.ts';
import { type SideName, sides } from './drill-sides.ts';

const { values } = parseArgs({
  options: {
    side: { type: 'string', default: 'slack' },
    runs: { type: 'string', default: '200' },
    workers: { type: 'string', default: '2' },
    kills: { type: 'string', default: '60' },
  },
});
if (!Object.hasOwn(sides, values.side)) {
  throw new Error(`--side is one of ${Object.keys(sides).join(', ')}`);
}
const result = await drill({
  side: values.side as SideName,
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
