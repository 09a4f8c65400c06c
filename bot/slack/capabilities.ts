import { type Abilities, instead, yes, yesBut } from '../capabilities.ts';

export const slackAbilities: Abilities = {
  slash: yes,
  typedForm: yesBut('after 3 s it takes a press'),
  steps: yes,
  lookups: yes,
  secrets: instead('a link to a page of Activate'),
  edits: yes,
  alone: yes,
  threads: yes,
  mentions: yes,
  files: yesBut('in the thread; a file for one person goes to their direct messages'),
  pictures: yesBut('as files'),
  views: instead('whoever may not is told so when they press'),
  groups: yesBut('user groups, on a paid plan of Slack'),
  find: yesBut('by a mark in the metadata of the message'),
  noAddress: yesBut('in Socket Mode'),
  catchUp: instead('Slack delivers events again for some minutes; a command fails and says so'),
};
