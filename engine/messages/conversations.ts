interface Piece {
  readonly work: () => Promise<void>;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Work for many conversations: in the order in which it was added within one, and so many of them side by side. The
 * first failure ends all: what has not begun by then fails with the same error.
 */
export class Conversations {
  private readonly atOnce: number;
  private readonly pieces = new Map<string, Piece[]>();
  /** Conversations with work that nobody is at, the one that has waited longest first. */
  private readonly waiting: string[] = [];
  private busy = 0;
  private failure: { readonly error: unknown } | undefined;

  constructor(atOnce: number) {
    this.atOnce = atOnce;
  }

  /** Resolves once the work is done. */
  add(conversation: string, work: () => Promise<void>): Promise<void> {
    return new Promise((done, failed) => {
      const piece = { work, done, failed };
      const before = this.pieces.get(conversation);
      if (before !== undefined) {
        before.push(piece);
        return;
      }
      this.pieces.set(conversation, [piece]);
      this.waiting.push(conversation);
      this.begin();
    });
  }

  private begin(): void {
    while (this.busy < this.atOnce) {
      const conversation = this.waiting.shift();
      if (conversation === undefined) {
        return;
      }
      this.busy += 1;
      void this.next(conversation);
    }
  }

  private async next(conversation: string): Promise<void> {
    const pieces = this.pieces.get(conversation) ?? [];
    const piece = pieces.shift();
    try {
      if (this.failure !== undefined) {
        throw this.failure.error;
      }
      await piece?.work();
      piece?.done();
    } catch (error) {
      this.failure ??= { error };
      piece?.failed(error);
    }
    if (pieces.length === 0) {
      this.pieces.delete(conversation);
    } else {
      this.waiting.push(conversation);
    }
    this.busy -= 1;
    this.begin();
  }
}
