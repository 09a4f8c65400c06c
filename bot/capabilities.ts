/** What chat platforms differ in, in the order in which docs/platforms.md tells of it. */
export const capabilities = {
  slash: 'Commands are typed as `/activate …`',
  typedForm: 'A typed command opens its form at once',
  steps: 'A form goes on to its next step in the same dialog',
  lookups: 'Choices are looked up while somebody types',
  secrets: 'Passwords can be typed into a form',
  edits: 'A posted message is edited in place',
  alone: 'An answer for one person is seen by them alone, right where they asked',
  threads: 'Answers go into threads',
  mentions: 'People are tagged by the e-mail address in a row',
  files: 'Files stand with their message in a channel',
  pictures: 'Charts are shown',
  views: 'Everybody sees only the buttons that they may press',
  groups: 'Groups of people can decide about approvals',
  find: 'After a broken connection it is looked whether a message arrived',
  noAddress: 'It works without an address that the platform can reach',
  catchUp: 'What was written while Activate was away is read back',
} as const;
export type Capability = keyof typeof capabilities;

/** Whether a platform can do something; `depends`: on its version or on how it is set up, which `how` says. */
export interface Able {
  readonly can: 'yes' | 'no' | 'depends';
  /** Under which condition, or what stands in for it. */
  readonly how?: string;
}

export type Abilities = Readonly<Record<Capability, Able>>;

export const yes: Able = { can: 'yes' };

export function yesBut(how: string): Able {
  return { can: 'yes', how };
}

export function depends(how: string): Able {
  return { can: 'depends', how };
}

/** What it can't do, and what it does in place of that. */
export function instead(how: string): Able {
  return { can: 'no', how };
}
