import { listCard } from '../engine/cards/show.ts';
import { defineCommand } from './define.ts';

export const list = defineCommand({
  name: 'list',
  title: 'Alerts and syncs',
  summary: 'Lists all alerts and syncs, and how they are.',
  example: '/activate list',
  access: 'viewer',
  fields: {},
  run: async (_input, _caller, services) => ({
    kind: 'card',
    to: 'caller',
    card: listCard(await services.syncs.list(), services.now()),
  }),
});
