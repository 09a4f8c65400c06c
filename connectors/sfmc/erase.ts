import { z } from 'zod';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { theirWords } from '../../engine/contracts/http.ts';
import type { Client } from './client.ts';
import { blocksIn, escaped, textIn, textsIn } from './envelope.ts';

/** A data extension as SOAP knows it, by its external key, and the column of its primary key. */
interface Place {
  readonly extension: string;
  readonly column: string;
}

const namespace = 'xmlns="http://exacttarget.com/wsdl/partnerAPI"';
const mostAtOnce = 100;

/**
 * Deletes rows by their keys; answers why not, by key. Rows that are not there are not asked to be deleted: what is said
 * of these can't be told from a failure.
 */
export async function erase(
  client: Client,
  list: string,
  column: string,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const path = `customobjects/${encodeURIComponent(list)}`;
  const { key: extension } = await client.ask({ method: 'GET', path, signal }, z.object({ key: z.string() }));
  const refused = new Map<string, string>();
  for (let from = 0; from < keys.length; from += mostAtOnce) {
    const place = { extension, column };
    const there = await present(client, place, keys.slice(from, from + mostAtOnce), signal);
    if (there.length > 0) {
      await eraseSome(client, place, there, refused, signal);
    }
  }
  return refused;
}

/** Marketing Cloud does not tell capitals from small letters in a key. */
async function present(
  client: Client,
  { extension, column }: Place,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const operator = keys.length === 1 ? 'equals' : 'IN';
  const values = keys.map((key) => `<Value>${escaped(key)}</Value>`).join('');
  const xml = [
    `<RetrieveRequestMsg ${namespace}><RetrieveRequest>`,
    `<ObjectType>DataExtensionObject[${escaped(extension)}]</ObjectType><Properties>${escaped(column)}</Properties>`,
    `<Filter xsi:type="SimpleFilterPart"><Property>${escaped(column)}</Property>`,
    `<SimpleOperator>${operator}</SimpleOperator>${values}</Filter></RetrieveRequest></RetrieveRequestMsg>`,
  ].join('');
  const answer = await client.soap({ action: 'Retrieve', xml, signal });
  const status = textIn(answer, 'OverallStatus');
  if (status !== 'OK') {
    throw new ActivateError(
      'OUTCOME_UNKNOWN',
      `Marketing Cloud can't look for these rows. It says: ${theirWords(status ?? '', keys)}`,
    );
  }
  const found = new Set(
    blocksIn(answer, 'Property').flatMap((property) =>
      textsIn(property, 'Value').map((value) => value.toLowerCase()),
    ),
  );
  return keys.filter((key) => found.has(key.toLowerCase()));
}

/** Never sent twice by itself: the second time it would be told that the rows are not there. */
async function eraseSome(
  client: Client,
  { extension, column }: Place,
  keys: readonly string[],
  refused: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const objects = keys.map(
    (key) =>
      `<Objects xsi:type="DataExtensionObject"><CustomerKey>${escaped(extension)}</CustomerKey><Keys><Key><Name>${escaped(column)}</Name><Value>${escaped(key)}</Value></Key></Keys></Objects>`,
  );
  const xml = `<DeleteRequest ${namespace}><Options></Options>${objects.join('')}</DeleteRequest>`;
  const answer = await client.soap({ action: 'Delete', xml, signal });
  const results = blocksIn(answer, 'Results');
  if (results.length !== keys.length) {
    throw new ActivateError('OUTCOME_UNKNOWN', 'Marketing Cloud does not say of each row what became of it.');
  }
  for (const [at, result] of results.entries()) {
    const key = keys[Number(textIn(result, 'OrdinalID') ?? at)];
    if (textIn(result, 'StatusCode') !== 'OK' && key !== undefined) {
      const says = [textIn(result, 'StatusMessage'), textIn(result, 'ErrorMessage')]
        .filter(Boolean)
        .join(' ');
      refused.set(key, `Marketing Cloud does not delete this row. It says: ${theirWords(says, key)}`);
    }
  }
}
