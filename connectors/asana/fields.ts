import { z } from 'zod';
import type { FieldSpec, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { chosen, namesIn } from '../shared/choices.ts';

/** A custom field as Asana describes it, at a project and at a task alike. */
export const customField = z.object({
  gid: z.string(),
  name: z.string().default(''),
  resource_subtype: z.string(),
  is_formula_field: z.boolean().nullish(),
  is_value_read_only: z.boolean().nullish(),
  enum_options: z
    .array(z.object({ gid: z.string(), name: z.string(), enabled: z.boolean().default(true) }))
    .nullish(),
});
export type CustomField = z.output<typeof customField>;

/** Kinds that we can fill: people, references and formulas are not among them. */
type Kind = 'text' | 'number' | 'date' | 'enum' | 'multi_enum';

function kindOf({ resource_subtype, is_formula_field, is_value_read_only }: CustomField): Kind | undefined {
  if (is_formula_field === true || is_value_read_only === true) {
    return undefined;
  }
  const kinds: readonly string[] = ['text', 'number', 'date', 'enum', 'multi_enum'];
  return kinds.includes(resource_subtype) ? (resource_subtype as Kind) : undefined;
}

/** Fields are known by gid, because names change; options are offered by name, because gids tell nobody anything. */
export function specsOf(fields: readonly CustomField[]): readonly FieldSpec[] {
  return fields.flatMap((field) => {
    const kind = kindOf(field);
    return kind === undefined
      ? []
      : [{ name: field.gid, label: field.name, required: false, key: false, ...shapeOf(kind, field) }];
  });
}

function shapeOf(kind: Kind, field: CustomField): Pick<FieldSpec, 'type' | 'options'> {
  switch (kind) {
    case 'text':
    case 'number':
    case 'date':
      return { type: kind };
    case 'enum':
      return { type: 'text', options: [...new Set(offered(field).map(({ name }) => name))] };
    case 'multi_enum':
      return { type: 'any' };
    default:
      return kind satisfies never;
  }
}

const offered = ({ enum_options }: CustomField) => (enum_options ?? []).filter(({ enabled }) => enabled);

/** Values by gid of their field, as Asana takes them. ROW_REJECTED for an option that there is not. */
export function filled(
  values: Readonly<Record<string, Value>>,
  fields: readonly CustomField[],
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(values).map(([gid, value]) => {
      const field = fields.find((one) => one.gid === gid);
      const kind = field === undefined ? undefined : kindOf(field);
      if (field === undefined || kind === undefined) {
        throw new ActivateError('ROW_REJECTED', `The task has no field ${gid} that can be filled.`);
      }
      return [gid, asAsana(kind, field, value)];
    }),
  );
}

function asAsana(kind: Kind, field: CustomField, value: Value): Value {
  switch (kind) {
    case 'text':
    case 'number':
      return value;
    case 'date':
      return value === null ? null : { date: String(value).slice(0, 10) };
    case 'enum':
      return value === null ? null : optionOf(field, String(value));
    case 'multi_enum':
      return namesIn(value).map((name) => optionOf(field, name));
    default:
      return kind satisfies never;
  }
}

function optionOf(field: CustomField, name: string): string {
  return chosen(field.name, offered(field), name, (option) => [option.name]).gid;
}
