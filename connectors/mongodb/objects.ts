import type { Call, ObjectBatch, Objects, Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Far } from './client.ts';
import { type CollectionFacts, collectionsOf, lookAt, specsOf, uniqueOn } from './collection.ts';
import { keyText, toBson, Unfit } from './values.ts';
import { isFieldName, obstaclesOf } from './verify.ts';
import { writeBatch } from './write.ts';

/** How long batches go by what a collection was found to be. */
const rememberedMs = 60_000;

/** MongoDB as a place to write documents to. */
export function objectsOf(far: Far, now: () => Date): Objects {
  const remembered = new Map<string, { readonly facts: CollectionFacts; readonly at: number }>();
  const factsOf = async (name: string, signal?: AbortSignal): Promise<CollectionFacts> => {
    const known = remembered.get(name);
    if (known !== undefined && now().getTime() - known.at < rememberedMs) {
      return known.facts;
    }
    const facts = await lookAt(far, name, signal);
    remembered.set(name, { facts, at: now().getTime() });
    return facts;
  };
  const write = async (batch: ObjectBatch, call: Call): Promise<readonly Outcome[]> => {
    const facts = await factsOf(batch.object, call.signal);
    const [obstacle] = mustNotBe(facts, batch);
    if (obstacle !== undefined) {
      throw new ActivateError('CONFIG_INVALID', obstacle);
    }
    return writeBatch(far, facts, batch, call);
  };
  return {
    limits: { rows: 1000, bytes: 5_000_000, concurrency: 2 },
    operations: ['insert', 'update', 'upsert', 'delete'],
    onlyIfEmpty: false,
    anyField: true,
    objects: (typed) => collectionsOf(far, typed),
    fields: async (object) => specsOf(await lookAt(far, object)),
    verify: async (plan) => obstaclesOf(await lookAt(far, plan.object), plan),
    write: async (batch, call) => {
      try {
        return await write(batch, call);
      } catch (thrown) {
        remembered.delete(batch.object);
        throw thrown;
      }
    },
    find: async (object, field, values) => findDocuments(far, await factsOf(object), field, values),
  };
}

/** What would do harm, and not only be slow or surprising. */
function mustNotBe(facts: CollectionFacts, batch: ObjectBatch): readonly string[] {
  const { operation, match } = batch;
  const apart = (operation === 'insert' && match.length === 0) || uniqueOn(facts, match) !== undefined;
  const named = batch.fields.every(({ name }) => isFieldName(name));
  return facts.type !== 'collection' || !apart || !named ? obstaclesOf(facts, batch) : [];
}

/** Ids by value. A value that several documents have finds none: which of them is meant, nobody can say. */
async function findDocuments(
  far: Far,
  facts: CollectionFacts,
  field: string,
  values: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const kind = facts.fields.get(field)?.kind ?? 'any';
  const byKey = new Map<string, string>();
  const wanted = values.flatMap((value) => {
    try {
      const stored = toBson(far.bson, kind, value);
      byKey.set(keyText(stored), value);
      return [stored];
    } catch (thrown) {
      if (thrown instanceof Unfit) {
        return [];
      }
      throw thrown;
    }
  });
  const found = await far.wait(
    far
      .collection(facts.name)
      .find({ [field]: { $in: wanted } }, { projection: { _id: 1, [field]: 1 }, promoteValues: false })
      .toArray(),
  );
  const ids = new Map<string, string | undefined>();
  for (const document of found) {
    const stored = field.split('.').reduce<unknown>((at, name) => (at as typeof document)?.[name], document);
    const value = byKey.get(keyText(stored));
    if (value !== undefined) {
      ids.set(value, ids.has(value) ? undefined : String(document['_id']));
    }
  }
  return new Map([...ids].filter((pair): pair is [string, string] => pair[1] !== undefined));
}
