import type { Rich } from '../contracts/card.ts';
import { escapeHtml } from '../template/template.ts';

/** Formatted text as the plain part has it: a link with its address behind it. */
export function plainText(text: Rich): string {
  return text
    .map((part): string => {
      if (typeof part === 'string') {
        return part;
      }
      switch (part.type) {
        case 'bold':
        case 'italic':
        case 'strike':
          return plainText(part.text);
        case 'link': {
          const label = plainText(part.text);
          return sameAddress(label, part.url) ? label : `${label} (${part.url})`;
        }
        case 'code':
          return part.text;
        case 'mention':
          return part.name;
        case 'break':
          return '\n';
        default:
          return part satisfies never;
      }
    })
    .join('');
}

function sameAddress(label: string, url: string): boolean {
  return label.replace(/\/$/, '') === url.replace(/\/$/, '');
}

/** Formatted text as paragraphs of HTML. */
export function paragraphs(text: Rich): string {
  return inline(text)
    .split(/(?:<br>\s*){2,}/)
    .filter((part) => part.trim() !== '')
    .map((part) => `<p style="margin:0 0 16px">${part}</p>`)
    .join('\n');
}

const tags = { bold: 'strong', italic: 'em', strike: 's' } as const;

function inline(text: Rich): string {
  return text
    .map((part): string => {
      if (typeof part === 'string') {
        return escapeHtml(part);
      }
      switch (part.type) {
        case 'bold':
        case 'italic':
        case 'strike':
          return `<${tags[part.type]}>${inline(part.text)}</${tags[part.type]}>`;
        case 'link':
          return `<a href="${escapeHtml(part.url)}" style="color:#1a56db">${inline(part.text)}</a>`;
        case 'code':
          return `<code>${escapeHtml(part.text)}</code>`;
        case 'mention':
          return escapeHtml(part.name);
        case 'break':
          return '<br>\n';
        default:
          return part satisfies never;
      }
    })
    .join('');
}

/** A whole document around a body, plain enough for any mail program. */
export function documentOf(subject: string, body: string, footer: string): string {
  return `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(subject)}</title>
</head>
<body style="margin:0;padding:24px 16px;background:#ffffff;color:#1f2328;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:600px;margin:0 auto">
${body}
${footer}</div>
</body>
</html>
`;
}

/** Puts the footer into a document that somebody wrote whole. */
export function withFooter(html: string, footer: string): string {
  const end = html.search(/<\/body\s*>(?![\s\S]*<\/body\s*>)/i);
  return end < 0 ? `${html}\n${footer}` : `${html.slice(0, end)}${footer}${html.slice(end)}`;
}

/** Small print, and the way off the list. */
export function footerOf(
  footer: string,
  link: { readonly url: string; readonly label: string } | undefined,
): string {
  const lines = [
    ...(footer === '' ? [] : [escapeHtml(footer).replaceAll(/\r?\n/g, '<br>')]),
    ...(link === undefined
      ? []
      : [`<a href="${escapeHtml(link.url)}" style="color:#59636e">${escapeHtml(link.label)}</a>`]),
  ];
  return lines.length === 0
    ? ''
    : `<p style="margin:32px 0 0;padding-top:12px;border-top:1px solid #d1d9e0;color:#59636e;font-size:13px">${lines.join('<br>')}</p>\n`;
}
