/** A field as `describe` tells of it. */
export interface OrgField {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly length: number;
  readonly createable: boolean;
  readonly updateable: boolean;
  readonly nillable: boolean;
  readonly defaultedOnCreate: boolean;
  readonly externalId: boolean;
  readonly unique: boolean;
  readonly idLookup: boolean;
  readonly caseSensitive: boolean;
  readonly filterable: boolean;
  readonly restrictedPicklist: boolean;
  readonly picklistValues: readonly { readonly active: boolean; readonly value: string }[];
  readonly referenceTo: readonly string[];
}

export type Rec = Record<string, unknown>;

export interface Kind {
  readonly name: string;
  readonly label: string;
  readonly prefix: string;
  readonly fields: OrgField[];
  /** By Id. */
  readonly records: Map<string, Rec>;
  writable: boolean;
}

export interface RowError {
  readonly statusCode: string;
  readonly message: string;
  readonly fields: readonly string[];
}
export interface RowResult {
  readonly id?: string;
  readonly success: boolean;
  readonly created?: boolean;
  readonly errors: readonly RowError[];
}

export type Dml = 'insert' | 'update' | 'upsert' | 'delete';

/** A refusal of a whole request. */
export class Fault extends Error {
  readonly status: number;
  readonly errorCode: string;

  constructor(status: number, errorCode: string, message: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }
}

export function fieldNamed(name: string, type: string, more: Partial<OrgField> = {}): OrgField {
  return {
    name,
    label: name.replace(/__c$/, '').replaceAll('_', ' '),
    type,
    length: type === 'string' ? 80 : type === 'id' || type === 'reference' ? 18 : 0,
    createable: type !== 'id',
    updateable: type !== 'id',
    nillable: type !== 'id',
    defaultedOnCreate: type === 'id',
    externalId: false,
    unique: false,
    idLookup: type === 'id',
    caseSensitive: false,
    filterable: type !== 'textarea',
    restrictedPicklist: false,
    picklistValues: [],
    referenceTo: [],
    ...more,
  };
}

/** The records of an org, and the rules by which it takes changes to them. */
export class Org {
  readonly kinds = new Map<string, Kind>();
  /** Values of records that somebody else holds: each fails one change. */
  readonly locked = new Set<string>();
  /** Values of records that can't be deleted. */
  readonly pinned = new Set<string>();
  now = (): Date => new Date();
  private made = 0;
  /** Ids by the values of fields that records are found by. */
  private readonly index = new Map<string, Set<string>>();

  add(name: string, prefix: string, fields: readonly OrgField[]): Kind {
    const system = [
      fieldNamed('Id', 'id'),
      fieldNamed('CreatedDate', 'datetime', { createable: false, updateable: false }),
    ];
    const kind = {
      name,
      label: name.replace(/__c$/, ''),
      prefix,
      fields: [...system, ...fields],
      records: new Map(),
      writable: true,
    };
    this.kinds.set(name, kind);
    return kind;
  }

  kind(name: string): Kind {
    const kind = this.kinds.get(name);
    if (kind === undefined) {
      throw new Fault(404, 'NOT_FOUND', 'The requested resource does not exist');
    }
    return kind;
  }

  /** Puts a record there, past all rules. */
  seed(name: string, values: Rec): string {
    return this.put(this.kind(name), values);
  }

  /** What is there and not deleted, without what differs from one time to the next. */
  rows(name: string): readonly Rec[] {
    return this.live(this.kind(name)).map(({ Id, CreatedDate, IsDeleted, ...rest }) => rest);
  }

  live(kind: Kind): readonly Rec[] {
    return [...kind.records.values()].filter((record) => record['IsDeleted'] !== true);
  }

  /** One request: a result for each record. `key` is the External ID of an upsert. */
  change(name: string, dml: Dml, records: readonly Rec[], key?: string): readonly RowResult[] {
    const kind = this.kind(name);
    const keys = key === undefined ? [] : records.map((record) => fold(fieldOf(kind, key), record[key]));
    return records.map((record, i) => {
      if (keys.filter((one) => one === keys[i]).length > 1) {
        return refused('DUPLICATE_VALUE', `Duplicate external id specified: ${record[key ?? '']}`, [
          key ?? '',
        ]);
      }
      const held = [...this.locked].find((value) => Object.values(this.meant(kind, record)).includes(value));
      if (held !== undefined) {
        this.locked.delete(held);
        return refused(
          'UNABLE_TO_LOCK_ROW',
          'unable to obtain exclusive access to this record or 1 records',
          [],
        );
      }
      return this.one(kind, dml, record, key);
    });
  }

  private meant(kind: Kind, record: Rec): Rec {
    return { ...kind.records.get(String(record['Id'] ?? record['id'])), ...record };
  }

  private one(kind: Kind, dml: Dml, record: Rec, key: string | undefined): RowResult {
    switch (dml) {
      case 'insert':
        return this.insert(kind, record);
      case 'update':
        return this.update(kind, String(record['Id'] ?? record['id']), record);
      case 'upsert':
        return this.upsert(kind, record, key ?? 'Id');
      case 'delete':
        return this.remove(kind, String(record['Id']));
      default:
        return dml satisfies never;
    }
  }

  private insert(kind: Kind, record: Rec): RowResult {
    const lacking = kind.fields.filter(
      ({ name, nillable, createable, defaultedOnCreate }) =>
        createable && !nillable && !defaultedOnCreate && isNothing(record[name]),
    );
    if (lacking.length > 0) {
      const names = lacking.map(({ name }) => name);
      return refused('REQUIRED_FIELD_MISSING', `Required fields are missing: [${names.join(', ')}]`, names);
    }
    const fault = this.faultIn(kind, record, undefined);
    return fault ?? { id: this.put(kind, withoutNulls(record)), success: true, created: true, errors: [] };
  }

  private update(kind: Kind, id: string, { Id, id: _id, attributes, ...changes }: Rec): RowResult {
    const there = kind.records.get(id);
    if (there === undefined) {
      return refused('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', []);
    }
    if (there['IsDeleted'] === true) {
      return refused('ENTITY_IS_DELETED', 'entity is deleted', []);
    }
    const fault = this.faultIn(kind, changes, id);
    if (fault !== undefined) {
      return fault;
    }
    this.keep(kind, computed(kind, withoutNulls({ ...there, ...changes })));
    return { id, success: true, created: false, errors: [] };
  }

  private upsert(kind: Kind, record: Rec, key: string): RowResult {
    const field = fieldOf(kind, key);
    if (!field.externalId && !field.idLookup) {
      throw new Fault(
        400,
        'INVALID_FIELD',
        `Field name provided, ${key} is not an External ID or indexed field`,
      );
    }
    const same = this.same(kind, field, record[key]);
    if (same.length > 1) {
      return refused('DUPLICATE_EXTERNAL_ID', `${key}: more than one record found for external id field`, [
        key,
      ]);
    }
    const [only] = same;
    return only === undefined ? this.insert(kind, record) : this.update(kind, String(only['Id']), record);
  }

  private remove(kind: Kind, id: string): RowResult {
    const there = kind.records.get(id);
    if (there === undefined) {
      return refused('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', []);
    }
    if (there['IsDeleted'] === true) {
      return refused('ENTITY_IS_DELETED', 'entity is deleted', []);
    }
    if (Object.values(there).some((value) => this.pinned.has(String(value)))) {
      return refused('DELETE_FAILED', 'Your attempt to delete the record could not be completed', []);
    }
    this.keep(kind, { ...there, IsDeleted: true });
    return { id, success: true, errors: [] };
  }

  private faultIn(kind: Kind, record: Rec, own: string | undefined): RowResult | undefined {
    const given = Object.entries(record).filter(
      ([name, value]) => name !== 'attributes' && name !== 'Id' && !isNothing(value),
    );
    for (const [name, value] of given) {
      const field = fieldOf(kind, name);
      const twin = field.unique ? this.same(kind, field, value).find((one) => one['Id'] !== own) : undefined;
      const fault =
        twin === undefined
          ? faultOf(field, String(value))
          : refused(
              'DUPLICATE_VALUE',
              `duplicate value found: ${name} duplicates value on record with id: ${twin['Id']}`,
              [],
            );
      if (fault !== undefined) {
        return fault;
      }
    }
    return undefined;
  }

  private keep(kind: Kind, record: Rec): void {
    const id = String(record['Id']);
    kind.records.set(id, record);
    for (const field of kind.fields.filter(({ unique, idLookup }) => unique || idLookup)) {
      const place = placeOf(kind, field, record[field.name]);
      this.index.set(place, (this.index.get(place) ?? new Set()).add(id));
    }
  }

  /** Live records that have this value in a field that records are found by. */
  private same(kind: Kind, field: OrgField, value: unknown): readonly Rec[] {
    return [...(this.index.get(placeOf(kind, field, value)) ?? [])]
      .map((id) => kind.records.get(id) ?? {})
      .filter((one) => one['IsDeleted'] !== true && fold(field, one[field.name]) === fold(field, value));
  }

  private put(kind: Kind, { attributes, ...values }: Rec): string {
    this.made += 1;
    const id = `${kind.prefix}${String(this.made).padStart(12, '0')}AAA`;
    this.keep(kind, computed(kind, { CreatedDate: this.now().toISOString(), ...values, Id: id }));
    return id;
  }
}

function placeOf(kind: Kind, field: OrgField, value: unknown): string {
  return JSON.stringify([kind.name, field.name, fold(field, value)]);
}

function faultOf(field: OrgField, text: string): RowResult | undefined {
  const { label, name, type, length } = field;
  if (type === 'string' && text.length > length) {
    return refused('STRING_TOO_LONG', `${label}: data value too large: ${text} (max length=${length})`, [
      name,
    ]);
  }
  if (type === 'email' && !/^\S+@\S+$/.test(text)) {
    return refused('INVALID_EMAIL_ADDRESS', `${label}: invalid email address: ${text}`, [name]);
  }
  return field.restrictedPicklist && !field.picklistValues.some((one) => one.value === text)
    ? refused(
        'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
        `${label}: bad value for restricted picklist field: ${text}`,
        [name],
      )
    : undefined;
}

function computed(kind: Kind, record: Rec): Rec {
  return kind.name === 'Task'
    ? { Status: 'Not Started', ...record, IsClosed: record['Status'] === 'Completed' }
    : record;
}

function withoutNulls(record: Rec): Rec {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => !isNothing(value)));
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined || value === '';
}

function refused(statusCode: string, message: string, fields: readonly string[]): RowResult {
  return { success: false, errors: [{ statusCode, message, fields }] };
}

export function fieldOf(kind: Kind, name: string): OrgField {
  const field = kind.fields.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (field === undefined) {
    throw new Fault(400, 'INVALID_FIELD', `No such column '${name}' on sobject of type ${kind.name}`);
  }
  return field;
}

/** Under which two values of a field are the same. */
export function fold(field: OrgField, value: unknown): string {
  const text = String(value ?? '');
  if (/^(int|double)$/.test(field.type) && text !== '') {
    return String(Number(text));
  }
  return field.caseSensitive || field.type === 'id' ? text : text.toLowerCase();
}
