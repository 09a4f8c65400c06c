/**
 * Every way Activate can fail. The code is the contract: tests, docs and the retry policy read this table.
 *
 * - retry: `never` until somebody acts, `later` with backoff, `after` the time that the far side named,
 *   `unknown` when nobody can say whether it happened: look first, then decide.
 * - owner: who has to act.
 */
export const ERRORS = {
  CONFIG_INVALID: { retry: 'never', owner: 'editor' },
  INPUT_INVALID: { retry: 'never', owner: 'editor' },
  NOT_FOUND: { retry: 'never', owner: 'editor' },
  NOT_ALLOWED: { retry: 'never', owner: 'admin' },
  AUTH_REJECTED: { retry: 'never', owner: 'editor' },
  PERMISSION_DENIED: { retry: 'never', owner: 'editor' },
  SQL_UNSAFE: { retry: 'never', owner: 'editor' },
  SQL_FAILED: { retry: 'never', owner: 'editor' },
  SQL_TIMEOUT: { retry: 'never', owner: 'editor' },
  SOURCE_EMPTY: { retry: 'never', owner: 'editor' },
  ORDER_BROKEN: { retry: 'never', owner: 'maintainer' },
  TEMPLATE_INVALID: { retry: 'never', owner: 'editor' },
  TARGET_GONE: { retry: 'never', owner: 'editor' },
  ROW_REJECTED: { retry: 'never', owner: 'editor' },
  EXISTS: { retry: 'never', owner: 'editor' },
  NOT_APPROVED: { retry: 'never', owner: 'editor' },
  AWAITS_APPROVAL: { retry: 'never', owner: 'nobody' },
  OUTDATED: { retry: 'never', owner: 'editor' },
  RATE_LIMITED: { retry: 'after', owner: 'nobody' },
  UNAVAILABLE: { retry: 'later', owner: 'nobody' },
  OUTCOME_UNKNOWN: { retry: 'unknown', owner: 'nobody' },
  CANCELED: { retry: 'never', owner: 'nobody' },
  BUG: { retry: 'never', owner: 'maintainer' },
} as const satisfies Record<
  string,
  {
    retry: 'never' | 'later' | 'after' | 'unknown';
    owner: 'editor' | 'admin' | 'maintainer' | 'nobody';
  }
>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorOptions {
  readonly cause?: unknown;
  /** How long the far side asked us to wait. */
  readonly retryAfterMs?: number;
  /** What the reader should do next, as one sentence. Shown in chat. */
  readonly fix?: string;
  /** Messages for single fields of the form at hand, by field name. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** The one error class. The message says what happened, `fix` what to do now; both are written for the person. */
export class ActivateError extends Error {
  override readonly name = 'ActivateError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly fix: string | undefined;
  readonly fields: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.fix = options.fix;
    this.fields = options.fields;
  }

  get retry(): 'never' | 'later' | 'after' | 'unknown' {
    return ERRORS[this.code].retry;
  }
}

/** Turns anything thrown into an ActivateError, so that callers branch on `code` alone. */
export function asActivateError(thrown: unknown): ActivateError {
  if (thrown instanceof ActivateError) {
    return thrown;
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ActivateError('BUG', message, { cause: thrown });
}
