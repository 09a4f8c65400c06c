/** A place to ask SQL: the pool, or one transaction. Values are `$1`, `$2`, …; rows come as plain objects. */
export interface Sql {
  query<T = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<T[]>;
}

/** Our own PostgreSQL. One implementation, on a real server. */
export interface Db extends Sql {
  /** Runs `work` in one transaction; rolled back when it throws. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Calls `heard` for every NOTIFY on the channel until the signal fires. Reconnects by itself. */
  listen(channel: string, heard: (payload: string) => void, signal: AbortSignal): Promise<void>;
}
