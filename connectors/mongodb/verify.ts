import type { ObjectBatch } from '../../engine/contracts/destination.ts';
import { type CollectionFacts, uniqueOn } from './collection.ts';

/** What stands against writing like this, in sentences. */
export function obstaclesOf(
  facts: CollectionFacts,
  { operation, match, fields }: Omit<ObjectBatch, 'items'>,
): readonly string[] {
  if (facts.type !== 'collection') {
    return [`${facts.name} is no collection but a ${facts.type}: it can't be written to.`];
  }
  return [
    ...namesOf(fields.map(({ name }) => name)),
    ...(operation === 'insert' && match.length === 0 ? [] : indexOf(facts, match)),
    ...match.flatMap((name) => mixtureOf(facts, name)),
  ];
}

/** Whether MongoDB takes it for the name of a field, and for nothing else. */
export function isFieldName(name: string): boolean {
  return !name.includes('\0') && name.split('.').every((part) => part !== '' && !part.startsWith('$'));
}

function namesOf(names: readonly string[]): readonly string[] {
  const wrong = names.filter((name) => !isFieldName(name));
  const inside = names.flatMap((name) =>
    names.filter((other) => other.startsWith(`${name}.`)).map((other) => [name, other] as const),
  );
  return [
    ...wrong.map(
      (name) =>
        `${name} can't be the name of a field: parts of a name are never empty and never begin with $.`,
    ),
    ...inside.map(([name, other]) => `${other} is inside ${name}: only one of the two can be written.`),
  ];
}

/** Without one, two runs at once make the same document twice, and each row is a search through all of them. */
function indexOf(facts: CollectionFacts, match: readonly string[]): readonly string[] {
  if (uniqueOn(facts, match) !== undefined) {
    return [];
  }
  const near = facts.indexes.find(
    ({ fields, flaw, unique }) => unique && flaw !== undefined && fields.join() === match.join(),
  );
  const why = near === undefined ? '' : ` (${near.name} ${near.flaw})`;
  const keys = match.map((name) => `${JSON.stringify(name)}: 1`).join(', ');
  return [
    `${facts.name} has no unique index on ${match.join(', ')}${why}. Run: db.getCollection(${JSON.stringify(facts.name)}).createIndex({ ${keys} }, { unique: true })`,
  ];
}

/** A key of one type never finds a document whose key is of another. */
function mixtureOf(facts: CollectionFacts, name: string): readonly string[] {
  const counts = [...(facts.fields.get(name)?.counts ?? [])].filter(([type]) => type !== 'null');
  const types = new Set(counts.map(([type]) => (/^(int|long|double|decimal)$/.test(type) ? 'number' : type)));
  if (types.size < 2) {
    return [];
  }
  const seen = counts.map(([type, n]) => `${type} in ${n}`).join(', ');
  return [
    `${name} is of several types in ${facts.name} (${seen} of the documents looked at): a row finds only documents of the one it is written as.`,
  ];
}
