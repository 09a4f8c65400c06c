import type { FieldPacket } from 'mysql2';
import type { Column } from '../../engine/contracts/source.ts';

/** A column of a query, with what it takes to write its text and to sort by it. */
export interface QueryColumn extends Column {
  /** The most bytes of UTF-8 that its text has. */
  readonly bytes: number;
  readonly kind: Kind;
}

/** How a value is written: see {@link textOf}. */
export type Kind =
  | 'integer'
  | 'unsigned'
  | 'bit'
  | 'bits'
  | 'decimal'
  | 'real'
  | 'moment'
  | 'datetime'
  | 'date'
  | 'json'
  | 'text'
  | 'bytes';

const unsignedFlag = 32;
const enumFlag = 256;
const setFlag = 2048;
const binaryCharset = 63;

/** Reads what the server says of a column when it prepares a statement. */
export function columnOf(field: FieldPacket): QueryColumn {
  const { columnType = 253, columnLength = 0, decimals, characterSet } = field;
  const flags = Number(field.flags);
  const about: About = {
    code: columnType,
    length: columnLength,
    decimals,
    isUnsigned: (flags & unsignedFlag) !== 0,
    isBinary: characterSet === binaryCharset,
    choice: (flags & enumFlag) !== 0 ? 'enum' : (flags & setFlag) !== 0 ? 'set' : undefined,
    // MariaDB's own types go over the wire as text or bytes.
    extended: field.extendedFormat ?? field.extendedTypeName,
  };
  const kind = kindOf(about);
  return { name: field.name, kind, type: types[kind], native: nativeOf(about), bytes: columnLength };
}

interface About {
  readonly code: number;
  readonly length: number;
  readonly decimals: number;
  readonly isUnsigned: boolean;
  readonly isBinary: boolean;
  readonly choice: string | undefined;
  readonly extended: string | undefined;
}

const types: Readonly<Record<Kind, Column['type']>> = {
  integer: 'number',
  unsigned: 'number',
  bit: 'boolean',
  bits: 'number',
  decimal: 'number',
  real: 'number',
  moment: 'time',
  datetime: 'time',
  date: 'time',
  json: 'json',
  text: 'text',
  bytes: 'bytes',
};

/** The names of types by the numbers they have on the wire. */
const names: Readonly<Record<number, string>> = {
  0: 'decimal',
  1: 'tinyint',
  2: 'smallint',
  3: 'int',
  4: 'float',
  5: 'double',
  6: 'null',
  7: 'timestamp',
  8: 'bigint',
  9: 'mediumint',
  10: 'date',
  11: 'time',
  12: 'datetime',
  13: 'year',
  16: 'bit',
  242: 'vector',
  245: 'json',
  246: 'decimal',
  255: 'geometry',
};

function kindOf({ code, length, isUnsigned, isBinary, extended }: About): Kind {
  if (extended === 'json' || code === 245) {
    return 'json';
  }
  switch (names[code]) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
      return isUnsigned ? 'unsigned' : 'integer';
    case 'decimal':
      return 'decimal';
    case 'float':
    case 'double':
      return 'real';
    case 'bit':
      return length === 1 ? 'bit' : 'bits';
    case 'timestamp':
      return 'moment';
    case 'datetime':
      return 'datetime';
    case 'date':
      return 'date';
    // A length of up to 838 hours and no time of day.
    case 'time':
    case 'null':
      return 'text';
    default:
      return isBinary ? 'bytes' : 'text';
  }
}

/** As it would be declared, as near as the server tells it. */
function nativeOf(about: About): string {
  const { code, length, decimals, isUnsigned, choice, extended } = about;
  const name = extended ?? choice ?? names[code] ?? textualOf(about);
  const unsigned = isUnsigned ? ' unsigned' : '';
  switch (name) {
    case 'decimal': {
      const signs = Number(decimals > 0) + Number(!isUnsigned);
      return `decimal(${length - signs},${decimals})${unsigned}`;
    }
    case 'timestamp':
    case 'datetime':
    case 'time':
      return decimals > 0 && decimals <= 6 ? `${name}(${decimals})` : name;
    case 'bit':
      return `bit(${length})`;
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
      return `${name}${unsigned}`;
    default:
      return name;
  }
}

function textualOf({ code, length, isBinary }: About): string {
  if (code >= 249 && code <= 252) {
    return isBinary ? 'blob' : 'text';
  }
  const name = code === 254 ? '' : 'var';
  return isBinary ? `${name}binary(${length})` : `${name}char(${Math.floor(length / 4)})`;
}
