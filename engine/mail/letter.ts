import type { Mail } from '../contracts/destination.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import type { MailSettings } from '../model/mail.ts';
import {
  compileHtml,
  compileTemplate,
  compileText,
  type RowText,
  type Template,
  type TextTemplate,
} from '../template/template.ts';
import { documentOf, footerOf, paragraphs, plainText, withFooter } from './html.ts';

type Texts = Pick<MailSettings, 'subject' | 'text' | 'html' | 'footer' | 'unsubscribeLabel'>;

/** What a mail is written about. */
export interface Occasion {
  readonly row: RowText;
  readonly previous: RowText;
  readonly change: string;
  /** The sync's name. */
  readonly name: string;
  /** Where one takes oneself off the list. */
  readonly unsubscribe: string | undefined;
}

export type Letter = Pick<Mail, 'subject' | 'text' | 'html'>;

/** What a template of HTML can use beside the columns. */
const own = ['unsubscribe_url', 'change', 'alert'];

/** Larger ones are no letter any more, and servers refuse them. */
const mostBytes = 1_000_000;

/** The texts of mails, compiled. Throws TEMPLATE_INVALID whose `fields` names the text at fault. */
export class LetterText {
  readonly columns: readonly string[];
  /** Whether the HTML has the link in it. */
  readonly linksItself: boolean;
  private readonly texts: Texts;
  private readonly subject: TextTemplate;
  private readonly text: Template;
  private readonly html: TextTemplate | undefined;

  constructor(texts: Texts, columns: readonly Column[]) {
    const { html } = texts;
    this.texts = texts;
    this.subject = at('subject', () => compileText(texts.subject, columns, ['change', 'alert']));
    this.text = at('text', () => compileTemplate(texts.text, columns));
    this.html = html === undefined ? undefined : at('html', () => compileHtml(html, columns, own));
    this.linksItself = html?.includes('unsubscribe_url') ?? false;
    this.columns = [
      ...new Set([...this.subject.columns, ...this.text.columns, ...(this.html?.columns ?? [])]),
    ];
  }

  /** Throws TEMPLATE_INVALID for a template that fails on this row, ROW_REJECTED for a row of which no letter can be made. */
  write({ row, previous, change, name, unsubscribe }: Occasion): Letter {
    const about = { alert: { name }, change, unsubscribe_url: unsubscribe ?? '' };
    // One line: a subject that breaks could begin another header.
    const subject = this.subject
      .render(row, about, previous)
      .replaceAll(/[\s\p{Cc}]+/gu, ' ')
      .trim();
    if (subject === '') {
      throw new ActivateError('ROW_REJECTED', 'The row leaves the subject of its mail empty.');
    }
    const said = this.text.render({ row, previous, alert: { name }, change });
    const text = plainText(said).trim();
    if (text === '') {
      throw new ActivateError('ROW_REJECTED', 'The row leaves the text of its mail empty.');
    }
    const { footer, unsubscribeLabel: label } = this.texts;
    const small = [
      ...(footer === '' ? [] : [footer]),
      ...(unsubscribe === undefined ? [] : [`${label}: ${unsubscribe}`]),
    ];
    const letter = {
      subject,
      text: small.length === 0 ? `${text}\n` : `${text}\n\n-- \n${small.join('\n')}\n`,
      html: this.page(
        subject,
        this.html?.render(row, about, previous) ?? paragraphs(said),
        unsubscribe === undefined || this.linksItself ? undefined : { url: unsubscribe, label },
      ),
    };
    if (Buffer.byteLength(letter.html) + Buffer.byteLength(letter.text) > mostBytes) {
      throw new ActivateError('ROW_REJECTED', 'The row makes its mail larger than one megabyte.');
    }
    return letter;
  }

  private page(
    subject: string,
    body: string,
    link: { readonly url: string; readonly label: string } | undefined,
  ): string {
    const footer = footerOf(this.texts.footer, link);
    return /<(?:html|body)[\s>]/i.test(body) ? withFooter(body, footer) : documentOf(subject, body, footer);
  }
}

function at<T>(field: string, compile: () => T): T {
  try {
    return compile();
  } catch (thrown) {
    const { code, message, fix } = asActivateError(thrown);
    throw new ActivateError(code, message, {
      cause: thrown,
      ...(fix === undefined ? {} : { fix }),
      fields: { [field]: fix === undefined ? message : `${message} ${fix}` },
    });
  }
}
