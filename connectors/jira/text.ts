import type { Flavor } from './config.ts';

/** Plain text as the field of a Jira takes it: a document on Cloud, wiki text in which nothing is markup elsewhere. */
export function richText(flavor: Flavor, text: string): unknown {
  switch (flavor) {
    case 'cloud':
      return documentOf(text);
    case 'dc':
      return wikiOf(text);
    default:
      return flavor satisfies never;
  }
}

/** Atlassian Document Format: a paragraph for each block of lines, addresses as links. */
function documentOf(text: string): object {
  const blocks = text.split(/\n[ \t]*\n/).map((block) => block.replaceAll(/^\n+|\s+$/g, ''));
  return {
    type: 'doc',
    version: 1,
    content: blocks
      .filter((block) => block !== '')
      .map((block) => ({
        type: 'paragraph',
        content: block
          .split('\n')
          .flatMap((line, at) => [...(at === 0 ? [] : [{ type: 'hardBreak' }]), ...piecesOf(line)]),
      })),
  };
}

/** No piece is empty: Jira refuses a document with an empty text in it. */
function piecesOf(line: string): readonly object[] {
  return line
    .split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]}'])/)
    .map((text, at) =>
      at % 2 === 1
        ? { type: 'text', text, marks: [{ type: 'link', attrs: { href: text } }] }
        : { type: 'text', text },
    )
    .filter(({ text }) => text !== '');
}

/** Signs that would begin a mention, a macro or a picture are escaped; what only looks different is left as it is. */
function wikiOf(text: string): string {
  return text.replaceAll(/[\\{[]|!(?=\S)/g, '\\$&');
}
