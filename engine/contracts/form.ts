import { z } from 'zod';
import type { Block } from './card.ts';
import type { Raw } from './refs.ts';

/** One choice of a list. `value` at most 75 characters (Slack's limit), `label` likewise. */
export interface Option {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}
export type Options = readonly Option[];

/** How a field is drawn. A `lookup` asks the bot for options while the person types. */
export type Widget =
  | { readonly type: 'text'; readonly maxLength?: number; readonly placeholder?: string }
  | {
      readonly type: 'area';
      readonly language?: 'sql' | 'liquid';
      readonly maxLength?: number;
      readonly placeholder?: string;
    }
  | { readonly type: 'number'; readonly min?: number; readonly max?: number; readonly whole: boolean }
  | { readonly type: 'choice'; readonly options: Options; readonly many: boolean }
  | { readonly type: 'lookup'; readonly lookup: string; readonly many: boolean }
  | { readonly type: 'secret' };

export interface Field<T extends z.ZodType = z.ZodType> {
  /** At most 24 characters: the narrowest platform's limit. */
  readonly label: string;
  /** At most 150 characters, a full sentence in the second person. */
  readonly help?: string;
  readonly widget: Widget;
  readonly schema: T;
  readonly optional: boolean;
}
export type Fields = Readonly<Record<string, Field>>;
export type Values<F extends Fields> = { readonly [K in keyof F]: z.output<F[K]['schema']> };

/** A neutral dialog: one step of a command. Submitting it runs `command` with `hidden` and what was filled in. */
export interface Form {
  readonly command: string;
  /** At most 24 characters. */
  readonly title: string;
  readonly step?: { readonly number: number; readonly of: number };
  /** Shown above the fields: what was found, a preview. */
  readonly intro: readonly Block[];
  readonly fields: Fields;
  readonly initial: Raw;
  /** By field name; the empty name is about the form as a whole. */
  readonly errors: Raw;
  /** Carried along unseen: the draft, the step. Not secret and not trusted. */
  readonly hidden: Raw;
  /** The submit button's label, at most 24 characters. */
  readonly submit: string;
  /** Input that, run with the same command, shows the step before. */
  readonly back?: Raw;
}

interface Text {
  readonly label: string;
  readonly help?: string;
}

function described<T extends z.ZodType>(text: Text, widget: Widget, schema: T): Field<T> {
  return { ...text, widget, schema, optional: false };
}

const present = 'Fill this in.';

/** One declaration per input: what to ask, how to draw it, what is accepted. */
export const field = {
  text: (t: Text & { readonly max?: number; readonly placeholder?: string }): Field<z.ZodString> => {
    const { max = 150, placeholder, ...text } = t;
    const schema = z.string(present).trim().min(1, present).max(max, `At most ${max} characters.`);
    return described(
      text,
      { type: 'text', maxLength: max, ...(placeholder === undefined ? {} : { placeholder }) },
      schema,
    );
  },
  area: (
    t: Text & {
      readonly language?: 'sql' | 'liquid';
      readonly max?: number;
      readonly placeholder?: string;
    },
  ): Field<z.ZodString> => {
    const { max = 3000, placeholder, language, ...text } = t;
    const schema = z.string(present).trim().min(1, present).max(max, `At most ${max} characters.`);
    return described(
      text,
      {
        type: 'area',
        maxLength: max,
        ...(language === undefined ? {} : { language }),
        ...(placeholder === undefined ? {} : { placeholder }),
      },
      schema,
    );
  },
  number: (
    t: Text & { readonly min?: number; readonly max?: number; readonly whole?: boolean },
  ): Field<z.ZodType<number>> => {
    const { min, max, whole = false, ...text } = t;
    let schema = z.coerce.number('This has to be a number.');
    schema = whole ? schema.int('This has to be a whole number.') : schema;
    schema = min === undefined ? schema : schema.min(min, `At least ${min}.`);
    schema = max === undefined ? schema : schema.max(max, `At most ${max}.`);
    return described(
      text,
      {
        type: 'number',
        whole,
        ...(min === undefined ? {} : { min }),
        ...(max === undefined ? {} : { max }),
      },
      schema,
    );
  },
  choice: <const V extends string>(
    t: Text & { readonly of: Readonly<Record<V, string>> },
  ): Field<z.ZodType<V>> => {
    const { of, ...text } = t;
    const values = Object.keys(of) as [V, ...V[]];
    const options = values.map((value) => ({ value, label: of[value] }));
    const schema = z.enum(values, `Choose one of: ${values.join(', ')}.`) as unknown as z.ZodType<V>;
    return described(text, { type: 'choice', options, many: false }, schema);
  },
  /** One value out of what the command's lookup of this name offers; any text is let through and checked there. */
  lookup: (t: Text & { readonly lookup: string }): Field<z.ZodString> => {
    const { lookup, ...text } = t;
    return described(text, { type: 'lookup', lookup, many: false }, z.string(present).trim().min(1, present));
  },
  lookups: (t: Text & { readonly lookup: string }): Field<z.ZodType<readonly string[]>> => {
    const { lookup, ...text } = t;
    return described(text, { type: 'lookup', lookup, many: true }, many);
  },
  secret: (t: Text): Field<z.ZodString> =>
    described(t, { type: 'secret' }, z.string(present).min(1, present)),
  optional: <T extends z.ZodType>(f: Field<T>): Field<z.ZodOptional<T>> => ({
    ...f,
    schema: f.schema.optional(),
    optional: true,
  }),
  /** Takes {@link field.optional} back. */
  required: (f: Field): Field => ({
    ...f,
    schema: f.schema instanceof z.ZodOptional ? (f.schema.unwrap() as z.ZodType) : f.schema,
    optional: false,
  }),
};

const many = z
  .string(present)
  .transform((text) => splitMany(text))
  .pipe(z.array(z.string()).min(1, present)) as unknown as z.ZodType<readonly string[]>;

/** The values in one raw text: a JSON array, or separated by commas. */
export function splitMany(text: string): readonly string[] {
  if (text.trimStart().startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(text);
      if (Array.isArray(parsed)) {
        return parsed.map(String);
      }
    } catch {
      // Not JSON after all: a person typed a bracket.
    }
  }
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export type Checked<F extends Fields> =
  | { readonly ok: true; readonly values: Values<F> }
  | { readonly ok: false; readonly errors: Raw };

/** Validates raw text from any platform. Errors are keyed by field so that every drawing can show them in place. */
export function check<F extends Fields>(fields: F, raw: Raw): Checked<F> {
  const shape = Object.fromEntries(Object.entries(fields).map(([name, f]) => [name, f.schema]));
  // Platforms send '' for an input left empty, and z.coerce would make that a 0.
  const given = Object.fromEntries(Object.entries(raw).filter(([, value]) => value.trim() !== ''));
  const parsed = z.object(shape).safeParse(given);
  if (parsed.success) {
    return { ok: true, values: parsed.data as Values<F> };
  }
  const errors: Record<string, string> = {};
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0]);
    errors[name] ??= given[name] === undefined ? present : issue.message;
  }
  return { ok: false, errors };
}
