import { LetterText } from '../mail/letter.ts';
import { noPublicUrl } from '../mail/unsubscribe.ts';
import type { MailSettings } from '../model/mail.ts';
import type { About } from './about.ts';
import { mustBeAmong, problem } from './problem.ts';

/** Whether mails can be sent like this; sentences about what may go wrong all the same. */
export async function checkMail(
  settings: MailSettings,
  { columns, publicUrl }: About,
): Promise<readonly string[]> {
  const { to, watch, threshold, trigger, html, unsubscribe } = settings;
  const names = columns.map((column) => column.name);
  mustBeAmong('to', to, names, 'column');
  for (const name of watch) {
    mustBeAmong('watch', name, names, 'column');
  }
  if (trigger === 'threshold') {
    if (threshold === undefined) {
      throw problem('threshold', 'It does not say which number crosses which line.');
    }
    if (threshold.on === 'count') {
      throw problem('on', 'A number of rows has nobody to write to.', 'Watch a value in a column.');
    }
    mustBeAmong('column', threshold.column ?? '', names, 'column');
  }
  new LetterText(settings, columns);
  if (!unsubscribe) {
    return html?.includes('unsubscribe_url') === true
      ? ['The HTML has a link to unsubscribe, and these mails have none: it will lead nowhere.']
      : [];
  }
  if (publicUrl === undefined) {
    throw problem('unsubscribe', noPublicUrl.message, noPublicUrl.fix);
  }
  return publicUrl.startsWith('https:')
    ? []
    : ['PUBLIC_URL is no https address: mailboxes then show no button of their own to unsubscribe.'];
}
