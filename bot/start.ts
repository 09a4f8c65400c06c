import 'dotenv/config';
import { startOrExplain } from './roof.ts';

await startOrExplain({ web: true, worker: true, demo: !process.argv.includes('--no-demo') });
