/** Works that go on side by side, at most so many. The first failure is thrown to whoever waits next. */
export class Underway {
  private readonly atOnce: number;
  private readonly works = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(atOnce: number) {
    this.atOnce = atOnce;
  }

  /** Begins a work at once; see {@link Underway.room}. */
  add(work: () => Promise<void>): Promise<void> {
    const going = work();
    const kept = going
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.works.delete(kept));
    this.works.add(kept);
    return going;
  }

  /** Waits until one more may begin. */
  async room(): Promise<void> {
    while (this.works.size >= this.atOnce) {
      await Promise.race(this.works);
    }
    this.throwFailure();
  }

  /** Waits for all, failed or not. */
  async idle(): Promise<void> {
    await Promise.all(this.works);
  }

  /** Waits for all. */
  async done(): Promise<void> {
    await this.idle();
    this.throwFailure();
  }

  private throwFailure(): void {
    if (this.failure !== undefined) {
      throw this.failure.error;
    }
  }
}
