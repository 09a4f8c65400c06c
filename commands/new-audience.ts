import { audience } from './syncs/audience.ts';
import { newSyncOf } from './syncs/kind.ts';

export const newAudience = newSyncOf(audience, {
  name: 'new-audience',
  title: 'New audience',
  summary: 'Keeps a list of people as a query gives it: added as they enter, removed as they leave.',
  example: '/activate new-audience',
});
