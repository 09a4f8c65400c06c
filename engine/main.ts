import 'dotenv/config';
import { startOrExplain } from '../bot/roof.ts';

await startOrExplain({ web: false, worker: true, demo: false });
