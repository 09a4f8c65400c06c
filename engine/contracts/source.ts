/** One column of a query, in the few kinds that matter to us, and as the warehouse calls it. */
export interface Column {
  readonly name: string;
  readonly type: 'text' | 'number' | 'boolean' | 'time' | 'json' | 'bytes';
  readonly native: string;
}

/** Rows for people to look at: every value in its exact text form, NULL as null. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** How one key column is sorted: as numbers, or by the bytes of its UTF-8 text. Never by a database's locale. */
export type KeyOrder = 'numeric' | 'bytes';

/** What to read: `columns` are all columns wanted, the key's among them; `key` names those that make the key. */
export interface Query {
  readonly sql: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** Only rows whose `column` is at or after `value`: a number's digits, or a time as ISO 8601 in UTC. */
  readonly since?: { readonly column: string; readonly value: string };
}

/**
 * A result, in key order where `sorted` says so; where a warehouse is bad at it, it comes in any order and is sorted on
 * disk here. `order` is how the key's columns are to be compared. `lines` are pieces of one byte stream, cut anywhere: UTF-8 lines that end in `\n`, fields
 * split by tabs, first the key columns in their order and then the other columns in the order of `Query.columns`,
 * NULL as `\N`, and backslash, tab, newline and carriage return written `\\ \t \n \r` (PostgreSQL's COPY text
 * format: see `lines.ts`). A stream that ends early, or that a warehouse cut short, must throw, never just end.
 */
export interface Reading {
  readonly order: readonly KeyOrder[];
  readonly sorted: boolean;
  readonly lines: AsyncIterable<Uint8Array>;
}

/** Limits of one question to the warehouse: a time, and whoever asks can give up. */
export interface Limits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * A warehouse that rows are read from. All of it is read-only. Every query given is one SELECT; a source proves that
 * again by its own means. Errors: SQL_UNSAFE, SQL_FAILED (with the database's words and where in the text),
 * SQL_TIMEOUT, AUTH_REJECTED, PERMISSION_DENIED, UNAVAILABLE.
 */
export interface Source {
  /** The SQL that people write for it. */
  readonly dialect: Dialect;
  /** Tables and views that the role can read, as `schema.name`, best matches of `typed` first, at most 100. */
  tables(typed: string): Promise<readonly string[]>;
  /** The SELECT that reads a whole table named as {@link Source.tables} names it. */
  selectAll(table: string): string;
  describe(sql: string, limits: Limits): Promise<readonly Column[]>;
  preview(sql: string, rows: number, limits: Limits): Promise<Table>;
  count(sql: string, limits: Limits): Promise<number>;
  /** The columns that together look most like a key (a primary key, or one unique in a sample); empty when none do. */
  suggestKey(sql: string, limits: Limits): Promise<readonly string[]>;
  /**
   * What one run of a query costs, as a sentence for whoever is about to have it run for ever: where the warehouse bills
   * by the query, and says beforehand and for nothing how much it would be.
   */
  costOf?(sql: string, limits: Limits): Promise<string | undefined>;
  /** Reads all rows in key order. Begins at once; breaking off the iteration cancels the query in the warehouse. */
  read(query: Query, limits: Limits): Promise<Reading>;
  /** A place in the warehouse that is ours to write, where the connection names one. */
  readonly scratch?: Scratch | undefined;
}

/** A way of writing SQL that the guard can read. */
export type Dialect =
  | 'postgresql'
  | 'redshift'
  | 'mysql'
  | 'snowflake'
  | 'bigquery'
  | 'databricks'
  | 'duckdb';

/** Where the difference to what was told is taken. */
export type PlannerChoice = 'automatic' | 'here' | 'warehouse';

/**
 * A schema (or dataset) of a warehouse that is ours to write. Tables there hold text: what was told so far, what a run
 * found to differ, and logs. All statements that come here are the engine's own, written for the source's dialect; a
 * model's query, proven to be one SELECT, may be inside.
 */
export interface Scratch {
  readonly choice: PlannerChoice;
  /** Whether runs and what came of them are to be written there too. */
  readonly logs: boolean;
  /** A table of ours as SQL names it, with the schema, quoted. `name` is lower-case letters, digits and `_`. */
  table(name: string): string;
  /**
   * SQL for the text of a value: byte for byte what `Source.read` gives for this column, before its signs are escaped;
   * NULL stays NULL. `expression` is a column, as SQL names it; `as` says whether it is part of the key.
   */
  textOf(column: Column, expression: string, as: 'key' | 'value'): string;
  /** How `Source.read` sorts this column when it is part of a key. */
  orderOf(column: Column): KeyOrder;
  /** Sentences about what it lacks to be used, each with the statement that mends it; none when all is there. Makes the schema if it may. */
  lacking(limits: Limits): Promise<readonly string[]>;
  /** Runs one statement that writes there. Errors as of a `Source`. When the answer is lost it may be done all the same. */
  execute(statement: string, limits: Limits): Promise<void>;
}
