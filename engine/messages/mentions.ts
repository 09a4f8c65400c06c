import type { Block, Card, Inline, Rich } from '../contracts/card.ts';
import type { Sender } from '../contracts/chat.ts';
import type { PersonRef } from '../contracts/refs.ts';

/** Finds people by e-mail on one platform, asking for each once, and remembers whom it could not find. */
export class Roster {
  readonly unknown = new Set<string>();
  private readonly sender: Sender;
  private readonly asked = new Map<string, Promise<{ person: PersonRef; name: string } | undefined>>();

  constructor(sender: Sender) {
    this.sender = sender;
  }

  async find(email: string): Promise<{ person: PersonRef; name: string } | undefined> {
    const wanted = email.trim().toLowerCase();
    let answer = this.asked.get(wanted);
    if (answer === undefined) {
      answer = this.ask(wanted);
      this.asked.set(wanted, answer);
      // A look-up that failed must not be the answer for the rest of the run.
      answer.catch(() => this.asked.delete(wanted));
    }
    const found = await answer;
    if (found === undefined) {
      this.unknown.add(email);
    }
    return found;
  }

  private async ask(email: string): Promise<{ person: PersonRef; name: string } | undefined> {
    const person = await this.sender.personByEmail(email);
    if (person === undefined) {
      return undefined;
    }
    const profile = await this.sender.profile(person);
    return { person, name: profile?.name ?? email };
  }
}

/** The card with every mention by e-mail turned into the person, where the platform knows them. */
export async function resolveMentions(card: Card, roster: Roster): Promise<Card> {
  const blocks = await Promise.all(
    // Most cards mention nobody, and waiting for each of their words would cost more than writing them.
    card.blocks.map((block) => (mentions(block) ? inBlock(block, roster) : block)),
  );
  return { ...card, blocks };
}

function mentions(block: Block): boolean {
  switch (block.type) {
    case 'text':
    case 'context':
      return mentioned(block.text);
    case 'fields':
      return block.items.some((item) => mentioned(item.value));
    default:
      return false;
  }
}

function mentioned(text: Rich): boolean {
  return text.some(
    (part) =>
      typeof part !== 'string' &&
      (part.type === 'mention' || ('text' in part && typeof part.text !== 'string' && mentioned(part.text))),
  );
}

async function inBlock(block: Block, roster: Roster): Promise<Block> {
  switch (block.type) {
    case 'text':
    case 'context':
      return { ...block, text: await inText(block.text, roster) };
    case 'fields':
      return {
        ...block,
        items: await Promise.all(
          block.items.map(async (item) => ({ ...item, value: await inText(item.value, roster) })),
        ),
      };
    default:
      return block;
  }
}

async function inText(text: Rich, roster: Roster): Promise<Rich> {
  return Promise.all(text.map((part) => inPart(part, roster)));
}

async function inPart(part: Inline, roster: Roster): Promise<Inline> {
  if (typeof part === 'string') {
    return part;
  }
  switch (part.type) {
    case 'mention': {
      const found = part.person === undefined ? await roster.find(part.name) : undefined;
      return found === undefined ? part : { ...part, ...found };
    }
    case 'bold':
    case 'italic':
    case 'strike':
    case 'link':
      return { ...part, text: await inText(part.text, roster) };
    case 'code':
    case 'break':
      return part;
    default:
      return part satisfies never;
  }
}
