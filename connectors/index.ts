import type { Connector } from '../engine/contracts/connector.ts';
import { postgres } from './postgres/index.ts';
import { webhook } from './webhook/index.ts';

/** Every kind of source and destination, in the order in which a person is offered them. */
export const connectors = [postgres, webhook] as const satisfies readonly Connector[];
