import { z } from 'zod';
import type { FieldSpec, FieldType } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Options } from '../../engine/contracts/form.ts';
import { keptAsSeen, type Seen } from '../shared/kept.ts';
import { optionsWith } from '../shared/named.ts';
import { nothingOn } from '../shared/thrown.ts';
import type { Client } from './client.ts';

/** A list with its properties. */
export interface ListKind {
  readonly type: 'list';
  readonly id: string;
  /** Anaplan gives the names of its items by itself. */
  readonly numbered: boolean;
  readonly properties: readonly { readonly name: string; readonly format: string }[];
  readonly subsets: readonly string[];
}

export interface LineItem {
  readonly name: string;
  readonly format: string;
  readonly dimensions: readonly string[];
}

/** The cells of a module that can be written, by line item. */
export interface ModuleKind {
  readonly type: 'module';
  readonly id: string;
  readonly lineItems: readonly LineItem[];
}

/** An import action that reads a file. */
export interface ImportKind {
  readonly type: 'import';
  readonly id: string;
  readonly file: Readonly<Record<string, unknown>> & { readonly id: string };
  readonly columns: readonly string[];
  readonly separator: string;
  readonly encoding: string;
}

export type Kind = ListKind | ModuleKind | ImportKind;

/** What there is in the model. NOT_FOUND when there is none. */
export interface Catalog extends Seen<Kind> {
  kinds(typed: string): Promise<Options>;
}

const named = z.object({ id: z.coerce.string(), name: z.string() });
const importShape = named.extend({ importDataSourceId: z.coerce.string().catch('') });
const imports = (client: Client, signal?: AbortSignal) =>
  client.all('/imports', 'imports', importShape, signal);
/** Other sources are models and lists, which are nothing to send rows to. */
const isOfFile = ({ importDataSourceId }: z.output<typeof importShape>): boolean =>
  importDataSourceId.startsWith('113');

export function openCatalog(client: Client): Catalog {
  return {
    ...keptAsSeen((object, signal) => kindOf(client, object, signal)),
    kinds: async (typed) => {
      const [files, lists, modules] = await Promise.all([
        imports(client),
        unlessHidden(client.all('/lists', 'lists', named)),
        unlessHidden(client.all('/modules', 'modules', named)),
      ]);
      const all = [
        ...lists.map(({ id, name }) => ({ value: `list:${id}`, label: `List ${name}` })),
        ...modules.map(({ id, name }) => ({ value: `module:${id}`, label: `Module ${name}` })),
        ...files.filter(isOfFile).map(({ id, name }) => ({ value: `import:${id}`, label: `Import ${name}` })),
      ];
      return optionsWith(typed, all).map(({ value, label }) => ({ value, label: label.slice(0, 75) }));
    },
  };
}

/** Lists and modules are for Workspace Administrators: others have imports only. */
async function unlessHidden<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  return (await asked.catch(nothingOn('PERMISSION_DENIED', 'NOT_FOUND'))) ?? [];
}

type Signal = AbortSignal | undefined;

async function kindOf(client: Client, object: string, signal: Signal): Promise<Kind> {
  const [, type, id = ''] = /^(list|module|import):(\d{12,13})$/.exec(object) ?? [];
  switch (type) {
    case 'list':
      return listOf(client, id, signal);
    case 'module':
      return moduleOf(client, id, signal);
    case 'import':
      return importOf(client, id, signal);
    default:
      throw nothing();
  }
}

function nothing(): ActivateError {
  return new ActivateError('NOT_FOUND', 'The model has no such list, module or import.', {
    fix: 'Choose another one.',
  });
}

// Lists --------------------------------------------------------------------------------------------------------------

const listShape = z.object({
  metadata: z.object({
    numberedList: z.boolean().catch(false),
    properties: z
      .array(z.object({ name: z.string(), format: z.string().catch(''), formula: z.string().catch('') }))
      .catch([]),
    subsets: z.array(z.object({ name: z.string() })).catch([]),
  }),
});

async function listOf(client: Client, id: string, signal: Signal): Promise<ListKind> {
  const { metadata } = await client.ask({ method: 'GET', path: `/lists/${id}`, signal }, listShape);
  return {
    type: 'list',
    id,
    numbered: metadata.numberedList,
    properties: metadata.properties.filter(({ formula }) => formula === ''),
    subsets: metadata.subsets.map(({ name }) => name),
  };
}

// Modules ------------------------------------------------------------------------------------------------------------

/** What Anaplan calls a time scale or a version that a line item does not have. */
const notApplied = 'Not Applicable';

const lineItemsShape = z.object({
  items: z
    .array(
      z.object({
        name: z.string(),
        format: z.string().catch(''),
        formula: z.string().catch(''),
        isSummary: z.boolean().catch(false),
        appliesTo: z.array(z.object({ name: z.string() })).catch([]),
        timeScale: z.string().catch(notApplied),
        version: z.object({ name: z.string() }).catch({ name: notApplied }),
      }),
    )
    .default([]),
});

async function moduleOf(client: Client, id: string, signal: Signal): Promise<ModuleKind> {
  const path = `/modules/${id}/lineItems`;
  const { items } = await client.ask(
    { method: 'GET', path, query: { includeAll: true }, signal },
    lineItemsShape,
  );
  return {
    type: 'module',
    id,
    lineItems: items
      .filter(({ formula, isSummary, format }) => formula === '' && !isSummary && format !== 'NONE')
      .map(({ name, format, appliesTo, timeScale, version }) => ({
        name,
        format,
        dimensions: [
          ...appliesTo.map((one) => one.name),
          ...(timeScale === notApplied ? [] : ['Time']),
          ...(version.name === notApplied ? [] : ['Versions']),
        ],
      })),
  };
}

// Imports ------------------------------------------------------------------------------------------------------------

const importedShape = z.object({
  importMetadata: z.object({
    source: z.object({
      textEncoding: z.string().catch('UTF-8'),
      columnSeparator: z.string().catch(','),
      headerNames: z.array(z.string()),
    }),
  }),
});
const fileShape = z.looseObject({ id: z.coerce.string() });

async function importOf(client: Client, id: string, signal: Signal): Promise<ImportKind> {
  const action = (await imports(client, signal)).find((one) => one.id === id);
  const file =
    action === undefined || !isOfFile(action)
      ? undefined
      : (await client.all('/files', 'files', fileShape, signal)).find(
          (one) => one.id === action.importDataSourceId,
        );
  if (file === undefined) {
    throw nothing();
  }
  const { importMetadata } = await client.ask(
    { method: 'GET', path: `/imports/${id}`, signal },
    importedShape,
  );
  const { textEncoding, columnSeparator, headerNames } = importMetadata.source;
  return {
    type: 'import',
    id,
    file,
    columns: headerNames,
    separator: columnSeparator === '' ? ',' : columnSeparator,
    encoding: textEncoding,
  };
}

// Fields -------------------------------------------------------------------------------------------------------------

/** What follows the name of a dimension where its item is given by its code. */
export const byCode = '.code';
const subset = 'subset ';

export function specsOf(kind: Kind): readonly FieldSpec[] {
  switch (kind.type) {
    case 'list':
      return unique([
        ...(['code', 'name', 'id'] as const).map((name) => spec(name, { key: isKeyOf(kind, name) })),
        spec('parent'),
        ...kind.properties.map(({ name, format }) => spec(name, { type: typeOf(format) })),
        ...kind.subsets.map((name) => spec(`${subset}${name}`, { type: 'boolean' })),
      ]).map((one) => (one.name === 'name' && !kind.numbered ? { ...one, required: true } : one));
    case 'module':
      return unique([
        ...dimensionsOf(kind.lineItems).flatMap((name) => [
          spec(name, { key: true, label: `${name} (name of the item)` }),
          spec(`${name}${byCode}`, { key: true, label: `${name} (code of the item)` }),
        ]),
        ...kind.lineItems.map(({ name, format }) => spec(name, { type: typeOf(format) })),
      ]);
    case 'import':
      return unique(kind.columns.map((name) => spec(name, { key: true, type: 'any' })));
    default:
      return kind satisfies never;
  }
}

export function isKeyOf({ numbered }: ListKind, name: string): boolean {
  return name === 'code' || name === 'id' || (name === 'name' && !numbered);
}

export function dimensionsOf(lineItems: readonly LineItem[]): readonly string[] {
  return [...new Set(lineItems.flatMap(({ dimensions }) => dimensions))];
}

/** The subset that a field is about, if it is. */
export function subsetOf(field: string): string | undefined {
  return field.startsWith(subset) ? field.slice(subset.length) : undefined;
}

function spec(name: string, more: Partial<FieldSpec> = {}): FieldSpec {
  return { name, label: name, type: 'text', required: false, key: false, ...more };
}

/** People name things as they like: what is named like something before it can't be told from it. */
function unique(specs: readonly FieldSpec[]): readonly FieldSpec[] {
  return specs.filter(({ name }, at) => specs.findIndex((one) => one.name === name) === at);
}

function typeOf(format: string): FieldType {
  switch (format.toUpperCase()) {
    case 'NUMBER':
      return 'number';
    case 'BOOLEAN':
      return 'boolean';
    case 'DATE':
      return 'date';
    default:
      // Items of lists and periods of time go by their names.
      return 'text';
  }
}
