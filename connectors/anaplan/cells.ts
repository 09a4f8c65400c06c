import { z } from 'zod';
import type { Call, Item, ObjectBatch, Outcome, Value } from '../../engine/contracts/destination.ts';
import type { LineItem, ModuleKind } from './catalog.ts';
import type { Client } from './client.ts';
import { failuresShape, reasonOf } from './errors.ts';
import { type Coordinates, coordinatesOf, writtenOf } from './verify.ts';

/** Anaplan takes 100,000 cells or 15 MB in one request; a cell with its coordinates is some hundred bytes. */
const perRequest = 20_000;

interface Cell {
  /** The place of its row in the batch. */
  readonly at: number;
  readonly field: string;
  readonly json: object;
}

const resultShape = z.object({ failures: failuresShape });

/** Writes the cells of rows. Those that Anaplan takes are written, whatever becomes of others of their row. */
export async function writeCells(
  client: Client,
  kind: ModuleKind,
  batch: ObjectBatch,
  call: Call,
): Promise<readonly Outcome[]> {
  const lineItems = writtenOf(kind, batch);
  const coordinates = coordinatesOf(lineItems, batch);
  const outcomes = batch.items.map((): Outcome => ({ state: 'ok' }));
  const cells = batch.items.flatMap((item, at) => cellsOf(item, at, lineItems, coordinates));
  for (let from = 0; from < cells.length; from += perRequest) {
    const some = cells.slice(from, from + perRequest);
    const json = some.map((cell) => cell.json);
    const path = `/modules/${kind.id}/data`;
    const { failures } = await client.ask(
      { method: 'POST', path, json, repeatable: true, rows: json, signal: call.signal },
      resultShape,
    );
    for (const failure of failures) {
      const cell = some[failure.requestIndex];
      if (cell !== undefined) {
        const reason = reasonOf(failure, cell.json);
        outcomes[cell.at] = { state: 'rejected', reason, field: cell.field };
      }
    }
  }
  return outcomes;
}

function cellsOf(
  { values }: Item,
  at: number,
  lineItems: readonly LineItem[],
  coordinates: Coordinates,
): readonly Cell[] {
  return lineItems.flatMap(({ name, dimensions }): readonly Cell[] => {
    const value = values[name];
    if (value === undefined) {
      return [];
    }
    const json = {
      lineItemName: name,
      dimensions: dimensions.map((dimensionName) => {
        const { field, isCode } = coordinates.get(dimensionName) ?? { field: dimensionName, isCode: false };
        return { dimensionName, [isCode ? 'itemCode' : 'itemName']: String(values[field] ?? '') };
      }),
      value: plain(value),
    };
    return [{ at, field: name, json }];
  });
}

/** A cell takes a text, a number or a truth, and never null. */
function plain(value: Value): string | number | boolean {
  return value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : value;
}
