import { Fault, fieldOf, fold, type Kind, type Org, type OrgField, type Rec } from './salesforce-org.ts';

type Literal = { readonly text: string; readonly quoted: boolean };
interface Condition {
  readonly field: OrgField;
  readonly op: string;
  readonly values: readonly Literal[];
}

/** Runs the little SOQL that is needed, strictly: what Salesforce would refuse, this refuses. */
export function runSoql(org: Org, soql: string, all: boolean): readonly Rec[] {
  const words = new Words(soql);
  words.take('SELECT');
  const names = words.list(() => words.name());
  words.take('FROM');
  const object = words.name();
  const kind = org.kinds.get(object);
  if (kind === undefined) {
    throw new Fault(400, 'INVALID_TYPE', `sObject type '${object}' is not supported.`);
  }
  const fields = names.map((name) => fieldOf(kind, name).name);
  const conditions = words.maybe('WHERE') ? conditionsOf(kind, words) : [];
  const order = words.maybe('ORDER') ? orderOf(kind, words) : undefined;
  const limit = words.maybe('LIMIT') ? Number(words.name()) : Number.POSITIVE_INFINITY;
  words.end();
  const rows = (all ? [...kind.records.values()] : org.live(kind)).filter((row) =>
    conditions.every((condition) => holds(condition, row)),
  );
  if (order !== undefined) {
    const sign = order.descending ? -1 : 1;
    rows.sort((a, b) => sign * compare(a[order.name], b[order.name]));
  }
  return rows.slice(0, limit).map((row) => ({
    attributes: { type: kind.name },
    ...Object.fromEntries(fields.map((name) => [name, row[name] ?? (name === 'IsDeleted' ? false : null)])),
  }));
}

function conditionsOf(kind: Kind, words: Words): readonly Condition[] {
  const conditions: Condition[] = [];
  do {
    const field = fieldOf(kind, words.name());
    if (!field.filterable) {
      throw new Fault(400, 'INVALID_FIELD', `field '${field.name}' can not be filtered in a query call`);
    }
    const op = words.operator();
    const values = op === 'IN' ? words.inBrackets() : [words.literal()];
    for (const value of values) {
      mustFit(field, value);
    }
    conditions.push({ field, op, values });
  } while (words.maybe('AND'));
  return conditions;
}

function mustFit(field: OrgField, { text, quoted }: Literal): void {
  const wantsQuotes = !/^(int|double|currency|percent|boolean|date|datetime)$/.test(field.type);
  if (quoted !== wantsQuotes) {
    throw new Fault(
      400,
      'INVALID_FIELD',
      `value of filter criterion for field '${field.name}' must be of another type`,
    );
  }
  if (field.type === 'id' && !/^\w{15}(\w{3})?$/.test(text)) {
    throw new Fault(400, 'INVALID_QUERY_FILTER_OPERATOR', `invalid ID field: ${text}`);
  }
}

function orderOf(kind: Kind, words: Words): { readonly name: string; readonly descending: boolean } {
  words.take('BY');
  const { name } = fieldOf(kind, words.name());
  const descending = words.maybe('DESC');
  if (words.maybe('NULLS')) {
    words.take('LAST');
  }
  return { name, descending };
}

function holds({ field, op, values }: Condition, row: Rec): boolean {
  const own = row[field.name];
  switch (op) {
    case '>=':
      return String(own) >= String(values[0]?.text);
    default:
      return values.some(({ text }) =>
        field.type === 'id'
          ? String(own).slice(0, 15) === text.slice(0, 15)
          : fold(field, own ?? (field.type === 'boolean' ? false : undefined)) === fold(field, text),
      );
  }
}

function compare(a: unknown, b: unknown): number {
  return typeof a === 'number' && typeof b === 'number'
    ? a - b
    : String(a ?? '').localeCompare(String(b ?? ''));
}

const escaped: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  "'": "'",
  '"': '"',
  '\\': '\\',
};

class Words {
  private rest: string;

  constructor(soql: string) {
    this.rest = soql.trim();
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.rest);
    if (found === null) {
      return undefined;
    }
    this.rest = this.rest.slice(found[0].length).trimStart();
    return found;
  }

  private need(pattern: RegExp): RegExpExecArray {
    const found = this.match(pattern);
    if (found === undefined) {
      throw new Fault(400, 'MALFORMED_QUERY', `unexpected token: '${this.rest.slice(0, 30)}'`);
    }
    return found;
  }

  take(word: string): void {
    this.need(new RegExp(`^${word}\\b`));
  }

  maybe(word: string): boolean {
    return this.match(new RegExp(`^${word}\\b`)) !== undefined;
  }

  name(): string {
    return this.need(/^\w+/)[0];
  }

  operator(): string {
    return this.need(/^(=|>=|IN\b)/)[0];
  }

  list<T>(read: () => T): readonly T[] {
    const items = [read()];
    while (this.match(/^,/) !== undefined) {
      items.push(read());
    }
    return items;
  }

  inBrackets(): readonly Literal[] {
    this.need(/^\(/);
    const items = this.list(() => this.literal());
    this.need(/^\)/);
    return items;
  }

  literal(): Literal {
    const [, text] = this.match(/^'((?:[^'\\\n\r]|\\[nrtbf'"\\])*)'/) ?? [];
    if (text === undefined) {
      return { text: this.need(/^[-+\w:.]+/)[0], quoted: false };
    }
    return { text: text.replaceAll(/\\(.)/g, (_, sign: string) => escaped[sign] ?? sign), quoted: true };
  }

  end(): void {
    if (this.rest !== '') {
      throw new Fault(400, 'MALFORMED_QUERY', `unexpected token: '${this.rest.slice(0, 30)}'`);
    }
  }
}
