import type { Times } from '../engine/boot.ts';

/** How long a worker of the drill waits for one call; shorter than its lease, as in a real installation. */
export const callTimeoutMs = 1500;

/** The engine's times, shortened so that a killed worker's run goes on after seconds. */
export const drillTimes: Times = {
  leaseMs: 4000,
  retryMs: 300,
  patience: { attempts: 4, firstWaitMs: 50, longestWaitMs: 2000 },
};
