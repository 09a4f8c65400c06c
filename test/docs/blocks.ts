import { readFileSync } from 'node:fs';

export interface CodeBlock {
  /** What stands behind the language: the file's name, where there is one. */
  readonly name: string;
  readonly text: string;
}

/** The code blocks of one language in a page of docs/, in their order. */
export function blocksIn(page: string, language: string): readonly CodeBlock[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```(\w+)[ \t]*(.*)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, found, name = '', code = '']) => (found === language ? [{ name: name.trim(), text: code }] : []),
  );
}

/** The rows of the first table under a heading, without its head: cells as they are written. */
export function tableUnder(page: string, heading: string): readonly (readonly string[])[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const [, under = ''] = text.split(new RegExp(`^#+ ${heading}$`, 'm'));
  const [section = ''] = under.split(/^#+ /m);
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}
