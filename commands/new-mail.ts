import { newSyncOf } from './syncs/kind.ts';
import { mail } from './syncs/mail.ts';

export const newMail = newSyncOf(mail, {
  name: 'new-mail',
  title: 'New mailing',
  summary: 'Writes a mail to the customer whom a row is about: once, with a way to unsubscribe.',
  example: '/activate new-mail',
});
