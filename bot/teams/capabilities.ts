import { type Abilities, depends, instead, yes, yesBut } from '../capabilities.ts';

export const teamsAbilities: Abilities = {
  slash: instead('`@Activate …`; with manifest 1.29 the commands stand in the `/` menu'),
  typedForm: instead('a card with one button; the `/` menu and buttons open forms at once'),
  steps: yes,
  lookups: yes,
  secrets: instead('a link to a page of Activate'),
  edits: yes,
  alone: yesBut('where the client can; else in the personal chat'),
  threads: yes,
  mentions: yesBut('of people in teams and chats that the bot is in, or in the directory with Graph'),
  files: instead('a link to a page of Activate; in the personal chat, the file after it was accepted'),
  pictures: yes,
  views: yesBut('in conversations of up to 60 people; in larger ones who may not is told so'),
  groups: yesBut('the teams that the bot is in'),
  find: depends('with Graph and `--read-back`, not in personal chats; else a message may stand there twice'),
  noAddress: instead('Microsoft calls Activate at `PUBLIC_URL`'),
  catchUp: instead('Teams says that the app did not answer'),
};
