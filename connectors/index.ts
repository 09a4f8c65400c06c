import type { Connector } from '../engine/contracts/connector.ts';
import { postgres } from './postgres/index.ts';

/** Every kind of source, in the order in which a person is offered them. */
export const connectors = [postgres] as const satisfies readonly Connector[];
