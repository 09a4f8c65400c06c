import { editSyncOf } from './syncs/kind.ts';
import { mail } from './syncs/mail.ts';

export const editMail = editSyncOf(mail, {
  name: 'edit-mail',
  title: 'Edit a mailing',
  summary:
    'Changes a mailing, in the same steps in which it was made. Who was written to is not written to again.',
  example: '/activate edit-mail trial-ends',
});
