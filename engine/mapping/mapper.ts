import type { FieldSpec, Value } from '../contracts/destination.ts';
import { ActivateError, asActivateError } from '../contracts/errors.ts';
import type { Column } from '../contracts/source.ts';
import type { MappedField, Meta } from '../model/mapping.ts';
import { compileText, type RowText } from '../template/template.ts';
import { checked, converterTo, Refused } from './convert.ts';

/** A row of the plan: its values by position of the columns, NULL as null. */
export type RowValues = readonly (string | null)[];

export type Facts = Readonly<Record<Meta, string>>;

/** A related record that a field refers to. */
export interface Lookup {
  readonly field: string;
  readonly object: string;
  readonly by: string;
  /** Position of its column. */
  readonly at: number;
}

/** Fills fields from rows. Built once per run. */
export interface Mapper {
  /** Fields that name a related record: their values come in through `related`. */
  readonly lookups: readonly Lookup[];
  /**
   * The fields of one row. `related` answers with the id that a look-up found. Throws {@link Refused} when a value is
   * not what its field takes.
   */
  map(
    row: RowValues,
    facts: Facts,
    related: (lookup: Lookup, value: string) => string | undefined,
  ): Record<string, Value>;
}

type Fill = (
  row: RowValues,
  facts: Facts,
  related: (lookup: Lookup, value: string) => string | undefined,
) => Value;

/** The columns that a mapping reads. */
export function columnsRead(fields: readonly MappedField[], columns: readonly Column[]): readonly string[] {
  const read = fields.flatMap(({ from }) => {
    switch (from.type) {
      case 'column':
      case 'lookup':
        return [from.column];
      case 'template':
        return compileText(from.template, columns).columns;
      case 'static':
      case 'meta':
        return [];
      default:
        return from satisfies never;
    }
  });
  return [...new Set(read)];
}

/**
 * Compiles a mapping. `specs` are the destination's fields as they are now: a field that is gone is CONFIG_INVALID. An
 * empty list is a destination that takes any field, and so is one that says so with `anyField`. `columns` are those of
 * the rows, in their order.
 */
export function createMapper(
  fields: readonly MappedField[],
  specs: readonly FieldSpec[],
  columns: readonly Column[],
  anyField = false,
): Mapper {
  const names = columns.map((column) => column.name);
  const lookups: Lookup[] = [];
  const fills = fields.map((one): { name: string; fill: Fill; keep: boolean; required: boolean } => {
    const spec = specOf(one.field, specs, anyField);
    return {
      name: one.field,
      fill: fillOf(one, spec, columns, names, lookups),
      keep: one.nulls === 'keep',
      required: spec.required,
    };
  });
  return {
    lookups,
    map: (row, facts, related) => {
      const values: Record<string, Value> = {};
      for (const { name, fill, keep, required } of fills) {
        const value = fill(row, facts, related);
        if (value !== null) {
          values[name] = value;
        } else if (required && !keep) {
          throw new Refused(name, `${name} is required, and the row has nothing for it.`);
        } else if (!keep) {
          values[name] = null;
        }
      }
      return values;
    },
  };
}

function specOf(name: string, specs: readonly FieldSpec[], anyField: boolean): FieldSpec {
  const spec = specs.find((one) => one.name === name);
  if (spec !== undefined) {
    return spec;
  }
  if (specs.length > 0 && !anyField) {
    throw new ActivateError('CONFIG_INVALID', `The destination has no field "${name}" that can be written.`, {
      fix: 'It may have been renamed or removed there. Edit the mapping.',
    });
  }
  return { name, label: name, type: 'any', required: false, key: false };
}

function fillOf(
  { from, field }: MappedField,
  spec: FieldSpec,
  columns: readonly Column[],
  names: readonly string[],
  lookups: Lookup[],
): Fill {
  switch (from.type) {
    case 'column': {
      const at = names.indexOf(from.column);
      const convert = converterTo(spec, columns[at] ?? textColumn(from.column));
      return (row) => {
        const text = row[at];
        return text === null || text === undefined ? null : convert(text);
      };
    }
    case 'static': {
      const value = from.value === null ? null : ofField(spec, String(from.value), from.value);
      return () => value;
    }
    case 'template': {
      const template = compileText(from.template, columns);
      const convert = converterTo(spec, textColumn(field));
      return (row) => {
        const text = ofRow(field, () => template.render(rowText(row, names)));
        return text === '' ? null : convert(text);
      };
    }
    case 'meta': {
      const convert = converterTo(spec, textColumn(field));
      return (_row, facts) => convert(facts[from.name]);
    }
    case 'lookup': {
      const lookup = { field, object: from.object, by: from.by, at: names.indexOf(from.column) };
      lookups.push(lookup);
      return (row, _facts, related) => {
        const text = row[lookup.at];
        if (text === null || text === undefined) {
          return null;
        }
        const id = related(lookup, text);
        if (id === undefined) {
          throw new Refused(field, `There is no ${from.object} yet whose ${from.by} is what the row says.`);
        }
        return id;
      };
    }
    default:
      return from satisfies never;
  }
}

/** A template that fails at one row is a matter of that row. */
function ofRow(field: string, render: () => string): string {
  try {
    return render();
  } catch (thrown) {
    throw new Refused(field, asActivateError(thrown).message);
  }
}

/** A value as it was written in the settings, checked like any other. */
function ofField(spec: FieldSpec, text: string, value: string | number | boolean): Value {
  return spec.type === 'any' ? checked(spec, value) : converterTo(spec, textColumn(spec.name))(text);
}

function textColumn(name: string): Column {
  return { name, type: 'text', native: 'text' };
}

/** A row by column name, as templates take it. */
export function rowText(row: RowValues, names: readonly string[]): RowText {
  return Object.fromEntries(names.map((name, at) => [name, row[at] ?? null]));
}
