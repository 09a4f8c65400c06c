import type { Activity } from 'botbuilder';

/** An activity as Teams sends it, or as we send one. Nothing in it can be taken for granted. */
export type Heard = Partial<Activity>;
