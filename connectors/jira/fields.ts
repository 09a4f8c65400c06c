import { z } from 'zod';
import type { FieldSpec, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { chosen, namesIn } from '../shared/choices.ts';
import type { Flavor } from './config.ts';
import { richText } from './text.ts';

/** A field of a screen, as the forms for making and changing issues describe it. */
export const screenField = z.object({
  name: z.string(),
  required: z.boolean().default(false),
  hasDefaultValue: z.boolean().default(false),
  schema: z.object({
    type: z.string(),
    custom: z.string().optional(),
    system: z.string().optional(),
  }),
  allowedValues: z
    .array(z.object({ id: z.string().optional(), name: z.string().optional(), value: z.string().optional() }))
    .nullish(),
});

export interface ScreenField extends z.output<typeof screenField> {
  readonly id: string;
}

type Kind =
  | 'line'
  | 'text'
  | 'number'
  | 'date'
  | 'time'
  | 'option'
  | 'options'
  | 'words'
  /** In the shape that Jira has for it, whatever that is. */
  | 'raw';

const customKinds: Readonly<Record<string, Kind>> = {
  textfield: 'line',
  url: 'line',
  textarea: 'text',
  float: 'number',
  datepicker: 'date',
  datetime: 'time',
  select: 'option',
  radiobuttons: 'option',
  version: 'option',
  multiselect: 'options',
  multicheckboxes: 'options',
  multiversion: 'options',
  labels: 'words',
};

const systemKinds: Readonly<Record<string, Kind>> = {
  environment: 'text',
  priority: 'option',
  security: 'option',
  components: 'options',
  versions: 'options',
  fixVersions: 'options',
  labels: 'words',
};

/** Filled from the task itself, or by Jira. */
const ownFields = [
  'summary',
  'description',
  'project',
  'issuetype',
  'assignee',
  'duedate',
  'reporter',
].concat('attachment', 'issuelinks');

function kindOf({ schema }: ScreenField): Kind {
  const { custom, system = '' } = schema;
  return (custom === undefined ? systemKinds[system] : customKinds[custom.split(':').at(-1) ?? '']) ?? 'raw';
}

export function specsOf(fields: readonly ScreenField[]): readonly FieldSpec[] {
  return fields
    .filter(({ id }) => !ownFields.includes(id))
    .map((field) => ({
      name: field.id,
      label: field.name,
      required: field.required && !field.hasDefaultValue,
      key: false,
      ...shapeOf(field),
    }));
}

function shapeOf(field: ScreenField): Pick<FieldSpec, 'type' | 'options' | 'maxLength'> {
  const kind = kindOf(field);
  switch (kind) {
    case 'line':
      return { type: 'text', maxLength: 255 };
    case 'text':
      return { type: 'text', maxLength: 32_767 };
    case 'number':
    case 'date':
    case 'time':
      return { type: kind };
    case 'option': {
      const options = [...new Set((field.allowedValues ?? []).map(nameOf))];
      return { type: 'text', ...(options.length === 0 ? {} : { options }) };
    }
    case 'options':
    case 'words':
    case 'raw':
      return { type: 'any' };
    default:
      return kind satisfies never;
  }
}

/** Values by id of their field, as this Jira takes them. ROW_REJECTED for fields and options that there are not. */
export function filled(
  values: Readonly<Record<string, Value>>,
  fields: readonly ScreenField[],
  flavor: Flavor,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([id, value]) => {
      const field = fields.find((one) => one.id === id);
      if (field === undefined) {
        throw new ActivateError('ROW_REJECTED', `The screen of this issue type has no field ${id}.`);
      }
      return [id, asJira(field, value, flavor)];
    }),
  );
}

function asJira(field: ScreenField, value: Value, flavor: Flavor): unknown {
  const kind = kindOf(field);
  if (value === null) {
    return kind === 'options' || kind === 'words' ? [] : null;
  }
  switch (kind) {
    case 'line':
      return String(value).replaceAll(/\s*\n\s*/g, ' ');
    case 'text':
      return flavor === 'cloud' ? richText(flavor, String(value)) : String(value);
    case 'number':
      return typeof value === 'string' ? Number(value) : value;
    case 'date':
      return String(value).slice(0, 10);
    case 'time':
      return timeOf(field, String(value));
    case 'option':
      return optionOf(field, String(value));
    case 'options':
      return namesIn(value).map((name) => optionOf(field, name));
    case 'words':
      return namesIn(value);
    case 'raw':
      return rawOf(value);
    default:
      return kind satisfies never;
  }
}

/** Milliseconds and a shift without a colon: Jira takes no other form. */
function timeOf({ name }: ScreenField, text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) {
    throw new ActivateError('ROW_REJECTED', `${name} takes a date or a time.`);
  }
  return time.toISOString().replace('Z', '+0000');
}

type Choice = NonNullable<ScreenField['allowedValues']>[number];

const hasId = (choice: Choice): choice is Choice & { readonly id: string } => choice.id !== undefined;
const nameOf = ({ name, value, id }: Choice): string => value ?? name ?? id ?? '';

function optionOf({ name: label, schema, allowedValues }: ScreenField, name: string): object {
  // Long lists are not told: then Jira has to know the name.
  if (allowedValues === undefined || allowedValues === null) {
    return schema.custom === undefined ? { name } : { value: name };
  }
  const { id } = chosen(label, allowedValues.filter(hasId), name, (option) => [nameOf(option)]);
  return { id };
}

/** JSON in a text is meant as what it says: mappings can write `{"accountId": "…"}`. */
function rawOf(value: Value): unknown {
  if (typeof value !== 'string') {
    return value;
  }
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
