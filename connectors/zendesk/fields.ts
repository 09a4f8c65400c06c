import { z } from 'zod';
import type { FieldSpec, Value } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { chosen, namesIn } from '../shared/choices.ts';

/** A field of tickets as Zendesk describes it. */
export const ticketField = z.object({
  id: z.coerce.string(),
  type: z.string(),
  title: z.string().default(''),
  active: z.boolean().default(true),
  custom_field_options: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
});
export type TicketField = z.output<typeof ticketField>;

/** Kinds of custom fields that we can fill; all others are Zendesk's own, or hold part of a card's number. */
type Kind =
  | 'text'
  | 'textarea'
  | 'regexp'
  | 'integer'
  | 'decimal'
  | 'date'
  | 'checkbox'
  | 'tagger'
  | 'multiselect'
  | 'lookup';
const kinds: readonly string[] = ['text', 'textarea', 'regexp', 'integer', 'decimal', 'date'].concat(
  'checkbox',
  'tagger',
  'multiselect',
  'lookup',
);

function kindOf({ type, active }: TicketField): Kind | undefined {
  return active && kinds.includes(type) ? (type as Kind) : undefined;
}

const priorities = ['low', 'normal', 'high', 'urgent'] as const;
const types = ['task', 'question', 'problem', 'incident'] as const;

/** What every ticket has, by our names for it. */
const ownFields: readonly FieldSpec[] = (
  [
    { name: 'priority', label: 'Priority', type: 'text', options: priorities },
    { name: 'type', label: 'Type', type: 'text', options: types },
    { name: 'tags', label: 'Tags', type: 'any' },
    { name: 'requester', label: "Requester's e-mail", type: 'text' },
    { name: 'requester_name', label: "Requester's name", type: 'text' },
  ] as const
).map((spec) => ({ ...spec, required: false, key: false }));

/** Custom fields are known by id, because titles change; options are offered by name, because tags tell nobody much. */
export function specsOf(fields: readonly TicketField[]): readonly FieldSpec[] {
  const custom = fields.flatMap((field) => {
    const kind = kindOf(field);
    return kind === undefined
      ? []
      : [{ name: field.id, label: field.title, required: false, key: false, ...shapeOf(kind, field) }];
  });
  return [...ownFields, ...custom];
}

function shapeOf(kind: Kind, field: TicketField): Pick<FieldSpec, 'type' | 'options'> {
  switch (kind) {
    case 'text':
    case 'textarea':
    case 'regexp':
    case 'lookup':
      return { type: 'text' };
    case 'integer':
      return { type: 'integer' };
    case 'decimal':
      return { type: 'number' };
    case 'date':
      return { type: 'date' };
    case 'checkbox':
      return { type: 'boolean' };
    case 'tagger':
      return {
        type: 'text',
        options: [...new Set(optionsOf(field).flatMap(({ name, value }) => [name, value]))],
      };
    case 'multiselect':
      return { type: 'any' };
    default:
      return kind satisfies never;
  }
}

/** Which of the values given are for custom fields: those need to be described first. */
export function customOf(values: Readonly<Record<string, Value>>): readonly string[] {
  return Object.keys(values).filter((name) => !ownFields.some((own) => own.name === name));
}

/** Values by name, as a ticket of Zendesk holds them. ROW_REJECTED for fields and options that there are not. */
export function filled(
  values: Readonly<Record<string, Value>>,
  fields: readonly TicketField[],
): Record<string, unknown> {
  const { priority, type, tags, requester, requester_name: name } = values;
  const custom = customOf(values).map((id) => ({
    id: Number(id),
    value: customValue(id, values[id] ?? null, fields),
  }));
  return {
    // Once set, a priority can't be taken back.
    ...(priority === undefined || priority === null ? {} : { priority }),
    ...(type === undefined || type === null ? {} : { type }),
    ...(tags === undefined ? {} : { tags: namesIn(tags).map((tag) => tag.replaceAll(/\s+/g, '_')) }),
    ...requesterOf(requester, name),
    ...(custom.length === 0 ? {} : { custom_fields: custom }),
  };
}

/** Somebody new needs a name. */
function requesterOf(email: Value | undefined, name: Value | undefined): object {
  if (email === undefined || email === null || email === '') {
    return {};
  }
  const address = String(email);
  return {
    requester: {
      email: address,
      name: name === undefined || name === null || name === '' ? address : String(name),
    },
  };
}

function customValue(id: string, value: Value, fields: readonly TicketField[]): unknown {
  const field = fields.find((one) => one.id === id);
  const kind = field === undefined ? undefined : kindOf(field);
  if (field === undefined || kind === undefined) {
    throw new ActivateError('ROW_REJECTED', `Tickets have no field ${id} that can be filled.`);
  }
  if (value === null) {
    return kind === 'multiselect' ? [] : null;
  }
  switch (kind) {
    case 'text':
    case 'textarea':
    case 'regexp':
    case 'lookup':
    case 'integer':
    case 'decimal':
    case 'checkbox':
      return value;
    case 'date':
      return String(value).slice(0, 10);
    case 'tagger':
      return optionOf(field, String(value));
    case 'multiselect':
      return namesIn(value).map((name) => optionOf(field, name));
    default:
      return kind satisfies never;
  }
}

const optionsOf = ({ custom_field_options }: TicketField) => custom_field_options ?? [];

/** Zendesk takes the tag of an option; people know its name. */
function optionOf(field: TicketField, text: string): string {
  return chosen(field.title, optionsOf(field), text, ({ name, value }) => [name, value]).value;
}
