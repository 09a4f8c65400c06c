import type { Dispatch, Origin } from '../../engine/contracts/chat.ts';
import { type Field, type Form, type Options, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Features } from './features.ts';
import type { Carried } from './form.ts';

/** As many choices as a command offers at once. Fewer are all there are, and can be listed. */
const AT_ONCE = 20;

/** The choices of every lookup that can be listed on a server that can't ask for them as a person types. */
export async function choicesFor(
  dispatch: Dispatch,
  form: Form,
  origin: Origin,
  features: Features,
): Promise<ReadonlyMap<string, Options>> {
  if (features.dynamic) {
    return new Map();
  }
  const lookups = Object.entries(form.fields).filter(([, field]) => isSingleLookup(field));
  const found = await Promise.all(
    lookups.map(async ([name]) => {
      const input = { ...form.hidden, ...form.initial };
      return [name, await dispatch.options(form.command, name, '', input, origin)] as const;
    }),
  );
  return new Map(found.filter(([, options]) => options.length > 0 && options.length < AT_ONCE));
}

function isSingleLookup(field: Field): boolean {
  return field.widget.type === 'lookup' && !field.widget.many;
}

/** Turns names that were typed into the choices they name. What names none is left for the command to judge. */
export async function resolveTyped(
  dispatch: Dispatch,
  carried: Carried,
  input: Raw,
  origin: Origin,
): Promise<Raw> {
  const resolved = await Promise.all(
    carried.typed.map(async (name) => {
      const parts = splitMany(input[name] ?? '');
      const values = await Promise.all(
        parts.map(async (typed) => {
          const options = await dispatch.options(carried.command, name, typed, input, origin);
          return options.find((option) => isNamed(option, typed))?.value ?? typed;
        }),
      );
      const [only = ''] = values;
      return [name, values.length > 1 ? JSON.stringify(values) : only] as const;
    }),
  );
  return { ...input, ...Object.fromEntries(resolved) };
}

/** Adds to an error at a typed field what may have been meant. */
export async function withSuggestions(
  dispatch: Dispatch,
  carried: Carried,
  form: Form,
  input: Raw,
  origin: Origin,
): Promise<Form> {
  const wrong = carried.typed.filter((name) => form.errors[name] !== undefined);
  const errors = await Promise.all(
    wrong.map(async (name) => {
      const near = await nearest(dispatch, carried, name, input, origin);
      const said = form.errors[name] ?? '';
      return [name, near.length === 0 ? said : `${said} Did you mean ${near.join(', ')}?`] as const;
    }),
  );
  return { ...form, errors: { ...form.errors, ...Object.fromEntries(errors) } };
}

/** Up to three choices like what was typed, found by less and less of it. */
async function nearest(
  dispatch: Dispatch,
  carried: Carried,
  name: string,
  input: Raw,
  origin: Origin,
): Promise<readonly string[]> {
  for (const typed of splitMany(input[name] ?? '')) {
    for (let length = typed.length; length > 0; length = Math.floor(length / 2)) {
      const part = typed.slice(0, length);
      const options = await dispatch.options(carried.command, name, part, input, origin);
      if (options.length > 0 && !options.some((option) => isNamed(option, typed))) {
        return options.slice(0, 3).map((option) => option.label || option.value);
      }
    }
  }
  return [];
}

function isNamed(option: Options[number], typed: string): boolean {
  const plain = (text: string): string =>
    text
      .trim()
      .replace(/^[#@~]/, '')
      .toLowerCase();
  return option.value === typed || plain(option.label) === plain(typed);
}
