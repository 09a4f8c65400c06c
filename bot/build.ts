import { cp } from 'node:fs/promises';
import { join } from 'node:path';

/** Puts beside the compiled code what it reads at run time and the compiler leaves out. */
const root = join(import.meta.dirname, '..');
await cp(join(root, 'migrations'), join(root, 'dist', 'migrations'), { recursive: true });
await cp(join(root, 'bot', 'local', 'assets'), join(root, 'dist', 'bot', 'local', 'assets'), {
  recursive: true,
});
