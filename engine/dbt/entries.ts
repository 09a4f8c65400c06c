import { Readable } from 'node:stream';
import { Assembler } from 'stream-json/core/assembler.js';
import parser, { type Token } from 'stream-json/parser.js';

/** One thing of an artifact: a section as a whole, or one of those that a section holds, by its name there. */
export interface Entry {
  readonly section: string;
  readonly id: string;
  readonly value: unknown;
}

/** The sections of an artifact that are read: `whole`, or thing by thing, of each these `fields` or all. */
export type Sections = Readonly<
  Record<string, { readonly whole?: true; readonly fields?: ReadonlySet<string> }>
>;

/**
 * The things of an artifact of dbt, one after the other: however large it is, one of them is held at a time. Throws what the
 * bytes throw, and an Error where they are no JSON or are cut short.
 */
export async function* entriesOf(
  bytes: AsyncIterable<Uint8Array>,
  sections: Sections,
): AsyncGenerator<Entry> {
  const tokens = parser.asStream({ streamValues: false });
  const source = Readable.from(bytes, { objectMode: false });
  source.on('error', (error) => tokens.destroy(error));
  source.pipe(tokens);
  const picker = new Picker(sections);
  try {
    for await (const token of tokens as AsyncIterable<Token>) {
      const entry = picker.take(token);
      if (entry !== undefined) {
        yield entry;
      }
    }
  } finally {
    source.destroy();
    tokens.destroy();
  }
  if (!picker.complete) {
    throw new Error('It is cut short.');
  }
}

/** Follows the tokens down to the things of the sections that are wanted, and puts those together. */
class Picker {
  private readonly sections: Sections;
  private depth = 0;
  private section = '';
  private id = '';
  /** The field of a thing that the tokens are about. */
  private field = '';
  private whole: Assembler | undefined;
  private ended = false;

  constructor(sections: Sections) {
    this.sections = sections;
  }

  get complete(): boolean {
    return this.ended;
  }

  take(token: Token): Entry | undefined {
    const before = this.depth;
    switch (token.name) {
      case 'startObject':
      case 'startArray':
        this.depth += 1;
        break;
      case 'endObject':
      case 'endArray':
        this.depth -= 1;
        this.ended ||= this.depth === 0;
        break;
      case 'keyValue':
        this.name(token.value);
        break;
      default:
    }
    return this.isWanted() ? this.put(token, Math.min(before, this.depth)) : undefined;
  }

  private name(key: string): void {
    if (this.depth === 1) {
      this.section = key;
    } else if (this.depth === 2) {
      this.id = key;
    } else if (this.depth === 3) {
      this.field = key;
    }
  }

  private isWanted(): boolean {
    const section = this.sections[this.section];
    return (
      section !== undefined &&
      (section.fields === undefined ||
        this.depth < 3 ||
        this.whole === undefined ||
        section.fields.has(this.field))
    );
  }

  /** Adds a token to the thing that it is part of; answers with the thing once it is whole. `level` is where it stands. */
  private put(token: Token, level: number): Entry | undefined {
    const top = this.sections[this.section]?.whole === true ? 1 : 2;
    if (this.whole === undefined) {
      if (level !== top || (token.name !== 'startObject' && token.name !== 'startArray')) {
        return undefined;
      }
      this.whole = new Assembler();
      this.field = '';
    }
    this.whole.consume(token);
    if (!this.whole.done) {
      return undefined;
    }
    const value: unknown = this.whole.current;
    this.whole = undefined;
    return { section: this.section, id: this.id, value };
  }
}
