import type { FieldSpec, FieldUse, Objects, Operation } from '../contracts/destination.ts';
import { createMapper } from '../mapping/mapper.ts';
import type { ObjectsSettings } from '../model/objects.ts';
import type { About } from './about.ts';
import { mustBeAmong, problem } from './problem.ts';

/** Whether records can be written like this; sentences about what may go wrong all the same. */
export async function checkObjects(
  settings: ObjectsSettings,
  objects: Objects,
  { columns }: About,
): Promise<readonly string[]> {
  const { object, fields, match, mode } = settings;
  const specs = await objects.fields(object);
  const names = specs.map((spec) => spec.name);
  for (const { field } of specs.length === 0 || objects.anyField === true ? [] : fields) {
    mustBeAmong('fields', field, names, 'field');
  }
  for (const field of match) {
    mustBeAmong(
      'match',
      field,
      fields.map((one) => one.field),
      'mapped field',
    );
  }
  const optional = match.find((name) => fields.some((one) => one.field === name && one.nulls === 'keep'));
  if (optional !== undefined) {
    throw problem('fields', `${optional} finds the record, so it can't be left out for empty values.`);
  }
  checkOperations(settings, objects);
  checkRequired(settings, specs);
  const guarded = fields.find((one) => one.onlyIfEmpty);
  if (guarded !== undefined && !objects.onlyIfEmpty) {
    throw problem('fields', `This destination can't write ${guarded.field} only where it is empty.`);
  }
  createMapper(fields, specs, columns, objects.anyField);
  const uses = fields.map(
    ({ field, onlyIfEmpty, nulls }): FieldUse => ({ name: field, onlyIfEmpty, sparse: nulls === 'keep' }),
  );
  const warnings: string[] = [];
  for (const operation of operationsOf(settings)) {
    warnings.push(...(await objects.verify({ object, operation, match, fields: uses })));
  }
  const unsure = match.filter((name) => specs.some((spec) => spec.name === name && !spec.key));
  return [
    ...new Set(warnings),
    ...(unsure.length > 0 && match.length === 1 && mode !== 'insert'
      ? [`${unsure.join(', ')} is not unique at the destination: a row may mean several records.`]
      : []),
  ];
}

/** What has to be done at the destination under these settings. */
function operationsOf({ mode, removal }: ObjectsSettings): readonly Operation[] {
  if (mode !== 'mirror') {
    return [mode];
  }
  return removal === 'delete' ? ['upsert', 'delete'] : ['upsert', 'update'];
}

function checkOperations(settings: ObjectsSettings, objects: Objects): void {
  const missing = operationsOf(settings).find((operation) => !objects.operations.includes(operation));
  if (missing !== undefined) {
    throw problem(
      'mode',
      `This destination can't ${missing} records.`,
      `It can: ${objects.operations.join(', ')}.`,
    );
  }
  if (settings.mode === 'mirror' && settings.removal === 'archive' && settings.archive === undefined) {
    throw problem('archive', 'Say which field marks a record as archived.', 'As: archived_at = @synced_at.');
  }
}

function checkRequired({ mode, fields }: ObjectsSettings, specs: readonly FieldSpec[]): void {
  const missing = specs.filter(
    (spec) => spec.required && !fields.some((one) => one.field === spec.name) && mode !== 'update',
  );
  if (missing.length > 0) {
    throw problem(
      'fields',
      `A new record needs ${missing.map((spec) => spec.name).join(', ')}.`,
      'Map it, or choose the mode that only updates.',
    );
  }
}
