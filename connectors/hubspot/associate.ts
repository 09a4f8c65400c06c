import { z } from 'zod';
import type { ObjectBatch } from '../../engine/contracts/destination.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import type { Result } from './answers.ts';
import { type Key, type Kind, linkOf } from './catalog.ts';
import { type Client, read } from './client.ts';
import { failureOf, refusalShape } from './errors.ts';
import { readBy, sameAs } from './records.ts';

const end = z.object({ id: z.string() });
const linkedShape = z.object({
  results: z.array(z.object({ from: end, to: end })).default([]),
  errors: z.array(refusalShape).default([]),
});

interface Link {
  readonly at: number;
  readonly to: string;
}

/** What was written, and what became of it. */
interface Done {
  readonly client: Client;
  readonly kind: Kind;
  readonly key: Key;
  readonly batch: ObjectBatch;
  readonly results: Map<number, Result>;
  readonly signal: AbortSignal;
}

/** Associates records that were written with those that their rows name. What can't be is told, and sent again later. */
export async function associate(done: Done): Promise<void> {
  const { kind, batch, results } = done;
  for (const { name } of batch.fields) {
    const target = linkOf(name);
    const links = batch.items.flatMap(({ values }, at): readonly Link[] => {
      const to = values[name];
      const isWritten = results.get(at)?.outcome.state === 'ok';
      return isWritten && to !== null && to !== undefined ? [{ at, to: String(to) }] : [];
    });
    if (target !== undefined && links.length > 0) {
      const refused = await refusalsOf(done, `${kind.object}/${target}`, links);
      for (const [at, says] of refused) {
        const reason = `The record is written, but HubSpot does not associate it. It says: ${says}`;
        results.set(at, { outcome: { state: 'rejected', reason, field: name } });
      }
    }
  }
}

/** What HubSpot says of links that it did not make, by place. */
async function refusalsOf(
  done: Done,
  kinds: string,
  links: readonly Link[],
): Promise<ReadonlyMap<number, string>> {
  const ids = await idsOf(done, links);
  const inputs = links.flatMap(({ at, to }) => {
    const id = ids.get(at);
    return id === undefined ? [] : [{ from: { id }, to: { id: to } }];
  });
  const answer = await done.client.send({
    method: 'POST',
    of: 'crm/associations',
    path: `${kinds}/batch/associate/default`,
    json: { inputs },
    repeatable: true,
    signal: done.signal,
  });
  if (!answer.ok) {
    const error = failureOf(answer, inputs);
    if (error.code !== 'ROW_REJECTED' || links.length > 1) {
      throw error;
    }
    return new Map(links.map(({ at }) => [at, theirWords(error.message, inputs)]));
  }
  const { results, errors } = read(linkedShape, answer.json());
  const made = new Set(results.map(({ from, to }) => `${from.id} ${to.id}`));
  const says = theirWords(errors[0]?.message ?? 'nothing.', inputs);
  return new Map(
    links.filter(({ at, to }) => !made.has(`${ids.get(at)} ${to}`)).map(({ at }) => [at, says] as const),
  );
}

/** The ids of records that were written. Where the answer did not say which they are, they are looked up. */
async function idsOf(
  { client, kind, key, batch, results, signal }: Done,
  links: readonly Link[],
): Promise<ReadonlyMap<number, string>> {
  const keyAt = (at: number): string => sameAs(key, batch.items[at]?.values[key.name] ?? '');
  const nameless = links.filter(({ at }) => results.get(at)?.id === undefined);
  const wanted = nameless.map(({ at }) => keyAt(at));
  const found = wanted.length === 0 ? undefined : await readBy(client, kind, key, wanted, [], signal);
  return new Map(
    links.flatMap(({ at }) => {
      const id = results.get(at)?.id ?? found?.get(keyAt(at))?.id;
      return id === undefined ? [] : [[at, id] as const];
    }),
  );
}
