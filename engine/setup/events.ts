import type { Events } from '../contracts/destination.ts';
import { createMapper } from '../mapping/mapper.ts';
import type { EventsSettings } from '../model/events.ts';
import type { About } from './about.ts';
import { mustBeAmong, problem } from './problem.ts';

/** Whether events can be sent like this; sentences about what may go wrong all the same. */
export async function checkEvents(
  settings: EventsSettings,
  events: Events,
  { columns, key }: About,
): Promise<readonly string[]> {
  const names = columns.map((column) => column.name);
  mustBeAmong('time', settings.time, names, 'column');
  const time = columns.find((column) => column.name === settings.time);
  if (time?.type !== 'time' && time?.type !== 'number') {
    throw problem('time', `${settings.time} holds neither times nor numbers.`, 'Choose when it happened.');
  }
  const people = events.people.map((one) => one.name);
  for (const [name, column] of Object.entries(settings.person)) {
    mustBeAmong('person', name, people, 'way to say who it is about');
    mustBeAmong('person', column, names, 'column');
  }
  if (Object.keys(settings.person).length === 0) {
    throw problem('person', 'Say whom an event is about.', `As: ${people[0] ?? 'user_id'} = column.`);
  }
  if (settings.event.type === 'column') {
    mustBeAmong('event', settings.event.column, names, 'column');
  }
  createMapper(settings.properties, [], columns);
  return key.length === 0 || key.includes(settings.time)
    ? []
    : events.repeatsKnownForMs === undefined
      ? []
      : [
          `The destination knows a repeat for ${Math.round(events.repeatsKnownForMs / 86_400_000)} days: what is sent again after that counts twice.`,
        ];
}
