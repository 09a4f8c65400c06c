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
