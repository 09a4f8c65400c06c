import 'dotenv/config';
import { startOrExplain } from './roof.ts';

await startOrExplain({ web: true, worker: false, demo: false });
