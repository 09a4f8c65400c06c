import 'dotenv/config';
import { openStore } from './boot.ts';
import { parseEnv } from './env.ts';
import { createLog } from './log.ts';

const env = parseEnv(process.env);
const log = createLog({ level: env.LOG_LEVEL, format: 'json' });
const { db, embedded } = await openStore(env, log);
await db.close();
await embedded?.stop();
log.info({}, 'the database is up to date');
