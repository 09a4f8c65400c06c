import { type Abilities, depends, instead, yes, yesBut } from '../capabilities.ts';

export const mattermostAbilities: Abilities = {
  slash: yes,
  typedForm: yesBut('after 3 s, or 30 s in newer versions, it takes a press'),
  steps: depends('from 11.1; before that a button opens the next step'),
  lookups: depends(
    'from 11.0 over HTTPS; before that short lists are shown and longer ones are typed by name',
  ),
  secrets: instead('a link to a page of Activate'),
  edits: yes,
  alone: yesBut('to a command; to something written, only when the bot is a system admin, else directly'),
  threads: yes,
  mentions: yesBut('when the bot may see addresses'),
  files: yes,
  pictures: yesBut('as files'),
  views: instead('whoever may not is told so when they press'),
  groups: yesBut('where the licence has user groups; none else'),
  find: yesBut('by a mark in the properties of the post'),
  noAddress: instead('the server calls Activate, which can be in the same private network'),
  catchUp: yesBut('for an hour; a command fails and says so'),
};
