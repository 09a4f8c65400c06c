import { z } from 'zod';
import type { Item, Outcome } from '../../engine/contracts/destination.ts';
import { type Client, read } from './client.ts';
import { refused, rowRefused, type Work } from './contacts.ts';
import { bodyOf, keptIn } from './fields.ts';

const companyShape = z.looseObject({ id: z.string(), company_id: z.string().nullish() });
export type Company = z.output<typeof companyShape>;

/** By `company_id`, which is ours, or by `id`, which is Intercom's. */
export function companyBy(
  client: Client,
  match: string,
  value: string,
  signal?: AbortSignal,
): Promise<Company | undefined> {
  return client.find(
    match === 'id'
      ? { method: 'GET', path: `companies/${encodeURIComponent(value)}`, signal }
      : { method: 'GET', path: 'companies', query: { company_id: value }, rows: [value], signal },
    companyShape,
  );
}

/** Writes one company. Only the upsert of Intercom needs no look beforehand. */
export async function writeCompany(work: Work, item: Item): Promise<Outcome> {
  const { client, match, batch, call } = work;
  const value = String(item.values[match] ?? '').trim();
  if (value === '') {
    return refused(`The row has nothing in ${match}.`, match);
  }
  const looks = batch.operation !== 'upsert' || match === 'id' || batch.fields.some((use) => use.onlyIfEmpty);
  const company = looks ? await companyBy(client, match, value, call.signal) : undefined;
  return company === undefined ? withoutOne(work, item) : withOne(work, item, company);
}

function withoutOne(work: Work, item: Item): Promise<Outcome> | Outcome {
  const { match, batch } = work;
  switch (batch.operation) {
    case 'insert':
      return upsert(work, item, undefined);
    case 'upsert':
      return match === 'id' ? refused(nobody, match) : upsert(work, item, undefined);
    case 'update':
      return refused(nobody, match);
    case 'delete':
      return { state: 'ok' };
    default:
      return batch.operation satisfies never;
  }
}

function withOne(work: Work, item: Item, company: Company): Promise<Outcome> | Outcome {
  const { match, batch, call } = work;
  switch (batch.operation) {
    case 'insert':
      return call.again
        ? { state: 'ok', id: company.id }
        : refused(`Intercom has a company with this ${match} already.`, match);
    case 'upsert':
      return match === 'id' ? update(work, item, company) : upsert(work, item, company);
    case 'update':
      return update(work, item, company);
    case 'delete':
      return remove(work, company.id);
    default:
      return batch.operation satisfies never;
  }
}

const nobody = 'Intercom has no such company (any more).';

async function upsert(work: Work, item: Item, there: Company | undefined): Promise<Outcome> {
  const { client, kind, batch, call } = work;
  const json = bodyOf(kind, item.values, there === undefined ? [] : keptIn(batch, there));
  const answer = await client.send({
    method: 'POST',
    path: 'companies',
    json,
    repeatable: true,
    signal: call.signal,
  });
  return answer.ok
    ? { state: 'ok', id: read(companyShape, answer.json()).id }
    : rowRefused(work, answer, json);
}

async function update(work: Work, item: Item, company: Company): Promise<Outcome> {
  const { client, kind, batch, call } = work;
  // It is given once and for all.
  const json = bodyOf(kind, item.values, ['company_id', ...keptIn(batch, company)]);
  if (Object.keys(json).length === 0) {
    return { state: 'ok', id: company.id };
  }
  const path = `companies/${company.id}`;
  const answer = await client.send({ method: 'PUT', path, json, repeatable: true, signal: call.signal });
  if (answer.status === 404) {
    return { state: 'retry', reason: 'Somebody has deleted this company just now.' };
  }
  return answer.ok ? { state: 'ok', id: company.id } : rowRefused(work, answer, json);
}

/** Archives it and detaches its contacts, some time after the answer. */
async function remove({ client, call }: Work, id: string): Promise<Outcome> {
  const answer = await client.send({
    method: 'DELETE',
    path: `companies/${id}`,
    repeatable: true,
    signal: call.signal,
  });
  if (!answer.ok && answer.status !== 404) {
    throw client.failure(answer, [id]);
  }
  return { state: 'ok' };
}
