import { startFakeSlack, TOKENS } from './slack.ts';

/** Runs the fake by itself, for drills that kill the other side and for benches that count its CPU apart. */
const fake = await startFakeSlack({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(
  `${JSON.stringify({ apiUrl: fake.apiUrl, control: fake.apiUrl.replace('/api/', '/_control/'), tokens: TOKENS })}\n`,
);
