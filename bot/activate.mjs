#!/usr/bin/env node
import { register } from 'tsx/esm/api';

// The command line runs from source, as everything else does when it is not built.
register();
await import('./cli.ts');
