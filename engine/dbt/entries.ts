import { Readable } from 'node:stream';
import { Assembler } from 'stream-json/core/assembler.js';
import parser, { type Token } from 'stream-json/parser.js';

/** One thing of a manifest: its metadata, or a node, a group or a disabled node by its unique id. */
export interface Entry {
  readonly section: 'metadata' | 'nodes' | 'groups' | 'disabled';
  readonly id: string;
  readonly value: unknown;
}

const sections: ReadonlySet<string> = new Set(['metadata', 'nodes', 'groups', 'disabled']);

/** What of a node is read. Its SQL as it was written is most of a manifest, and nothing that we need. */
const wanted: ReadonlySet<string> = new Set([
  'resource_type',
  'name',
  'package_name',
  'alias',
  'database',
  'schema',
  'relation_name',
  'columns',
  'config',
  'access',
  'version',
  'tags',
  'meta',
  'group',
  'description',
  'depends_on',
  'primary_key',
  'compiled',
  'compiled_code',
  'original_file_path',
  'contract',
  'attached_node',
  'column_name',
  'test_metadata',
]);

/**
 * The things of a manifest, one after the other: however large it is, one of them is held at a time. Throws what the
 * bytes throw, and an Error where they are no JSON or are cut short.
 */
export async function* entriesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const tokens = parser.asStream({ streamValues: false });
  const source = Readable.from(bytes, { objectMode: false });
  source.on('error', (error) => tokens.destroy(error));
  source.pipe(tokens);
  const picker = new Picker();
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
    throw new Error('The manifest is cut short.');
  }
}

/** Follows the tokens down to the things of the sections that are wanted, and puts those together. */
class Picker {
  private depth = 0;
  private section: string | undefined;
  private id = '';
  /** The field of a node that the tokens are about. */
  private field = '';
  private whole: Assembler | undefined;
  private ended = false;

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
    return (
      this.section !== undefined &&
      sections.has(this.section) &&
      (this.section !== 'nodes' || this.depth < 3 || this.whole === undefined || wanted.has(this.field))
    );
  }

  /** Adds a token to the thing that it is part of; answers with the thing once it is whole. `level` is where it stands. */
  private put(token: Token, level: number): Entry | undefined {
    const top = this.section === 'metadata' ? 1 : 2;
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
    return { section: this.section as Entry['section'], id: this.id, value };
  }
}
