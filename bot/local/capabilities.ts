import { type Abilities, instead, yes, yesBut } from '../capabilities.ts';

export const localAbilities: Abilities = {
  slash: yes,
  typedForm: yes,
  steps: yes,
  lookups: yes,
  secrets: yes,
  edits: yes,
  alone: yes,
  threads: yes,
  mentions: yes,
  files: yes,
  pictures: yes,
  views: instead('whoever may not is told so when they press'),
  groups: yesBut('those of the demo'),
  find: yesBut('by a mark in its table'),
  noAddress: yes,
  catchUp: instead('its page says that Activate is away, and nothing can be written'),
};
