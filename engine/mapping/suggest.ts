import type { FieldSpec } from '../contracts/destination.ts';
import type { Column } from '../contracts/source.ts';
import type { MappedField } from '../model/mapping.ts';

/** Which columns could fill which fields, by name and type; each column once, the surest first. */
export function suggestMapping(
  specs: readonly FieldSpec[],
  columns: readonly Column[],
): readonly MappedField[] {
  const pairs = specs
    .flatMap((spec) => columns.map((column) => ({ spec, column, score: scoreOf(spec, column) })))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  const fields = new Map<string, string>();
  const taken = new Set<string>();
  for (const { spec, column } of pairs) {
    if (!fields.has(spec.name) && !taken.has(column.name)) {
      fields.set(spec.name, column.name);
      taken.add(column.name);
    }
  }
  // In the destination's own order, which is the one that people know.
  return specs.flatMap((spec) => {
    const column = fields.get(spec.name);
    return column === undefined ? [] : [filled(spec.name, column)];
  });
}

/** A field filled by a column, as it is written when nothing else is said. */
export function filled(field: string, column: string): MappedField {
  return { field, from: { type: 'column', column }, nulls: 'send', onlyIfEmpty: false };
}

/** Other words for the same thing. */
const synonyms: readonly (readonly string[])[] = [
  ['email', 'emailaddress', 'mail', 'useremail'],
  ['phone', 'phonenumber', 'telephone', 'mobile', 'mobilephone'],
  ['firstname', 'givenname', 'fn'],
  ['lastname', 'surname', 'familyname', 'ln'],
  ['name', 'fullname', 'displayname'],
  ['company', 'companyname', 'account', 'accountname', 'organization'],
  ['zip', 'postalcode', 'postcode', 'zipcode'],
  ['state', 'region', 'province'],
  ['userid', 'distinctid', 'externid', 'externalid'],
  ['country', 'countrycode'],
  ['created', 'createdat', 'createddate'],
];

function scoreOf(spec: FieldSpec, column: Column): number {
  if (!fits(spec, column)) {
    return 0;
  }
  const wanted = [bare(spec.name), bare(spec.label)];
  const offered = bare(column.name);
  if (wanted.includes(offered)) {
    return 3 + (spec.required || spec.key ? 0.5 : 0);
  }
  const alike = synonyms.find((words) => words.includes(offered));
  return alike !== undefined && wanted.some((word) => alike.includes(word)) ? 2 : 0;
}

/** Letters and digits only; Salesforce's `__c` is no part of a name. */
function bare(name: string): string {
  return name
    .toLowerCase()
    .replace(/__c$/, '')
    .replaceAll(/[^a-z0-9]/g, '');
}

function fits({ type }: FieldSpec, column: Column): boolean {
  switch (type) {
    case 'any':
    case 'text':
    case 'json':
      return column.type !== 'bytes';
    case 'integer':
    case 'number':
      return column.type === 'number' || column.type === 'text';
    case 'boolean':
      return column.type === 'boolean' || column.type === 'text';
    case 'date':
    case 'time':
      return column.type === 'time' || column.type === 'text';
    default:
      return type satisfies never;
  }
}
