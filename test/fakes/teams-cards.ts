import {
  AdaptiveCard,
  HostConfig,
  type AdaptiveCard as Parsed,
  SerializationContext,
  ValidationEvent,
  Versions,
} from 'adaptivecards';

/** Anything that came as JSON. */
export type Json = Record<string, unknown>;

/** A message of a bot may have this much, in UTF-16. */
export const MESSAGE_BYTES = 80 * 1024;

/** What Teams adds to Adaptive Cards 1.5: searching while one types. */
const OF_TEAMS = 'Property "choices.data" is supported in version 1.6';

/**
 * What is wrong with a card: what Microsoft's own library says against it, whatever is newer than 1.5, and what only
 * Teams minds. Empty when it is fine.
 */
export function cardFaults(card: unknown): readonly string[] {
  const context = new SerializationContext(Versions.v1_5);
  const parsed: Parsed = new AdaptiveCard();
  // What Teams' own host configuration says.
  parsed.hostConfig = new HostConfig({ actions: { maxActions: 6 } });
  parsed.parse(card as Json, context);
  const events = Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at).message);
  const found = parsed
    .validateProperties()
    .validationEvents.filter(({ event }) => event !== ValidationEvent.Hint)
    .map(({ message }) => message);
  const own = every(card).flatMap(teamsFaults);
  const searches = every(card).some((one) => 'choices.data' in one);
  return [...events, ...found, ...own].filter(
    (fault) =>
      !fault.includes(OF_TEAMS) && !(searches && fault.includes('must have at least one choice defined')),
  );
}

function teamsFaults(one: Json): readonly string[] {
  const actions = Array.isArray(one['actions']) ? one['actions'] : [];
  const faults = actions.length > 6 ? [`${actions.length} actions in a row: the seventh is not shown`] : [];
  if (one['type'] === 'AdaptiveCard' && 'version' in one && one['version'] !== '1.5') {
    faults.push(`version ${String(one['version'])}`);
  }
  if (one['type'] === 'Action.Execute' && !('verb' in one)) {
    faults.push('Action.Execute without a verb');
  }
  const url = one['url'];
  if (one['type'] === 'Image' && !/^(https?:|data:image\/png;base64,)/.test(String(url))) {
    faults.push(`a picture at ${String(url).slice(0, 40)}`);
  }
  const choices = Array.isArray(one['choices']) ? (one['choices'] as Json[]) : [];
  if (one['isMultiSelect'] === true && choices.some(({ value }) => String(value).includes(','))) {
    faults.push('a comma in a value of a list of several');
  }
  return faults;
}

/** Every object in some JSON, itself first. */
export function every(json: unknown): readonly Json[] {
  if (typeof json !== 'object' || json === null) {
    return [];
  }
  const inner = Object.values(json).flatMap(every);
  return Array.isArray(json) ? inner : [json as Json, ...inner];
}

/** All that a reader of the card sees, joined. */
export function textOf(card: unknown): string {
  return every(card)
    .flatMap((one) => [one['text'], one['title'], one['value'], one['altText'], one['label']])
    .filter((text): text is string => typeof text === 'string')
    .join('\n');
}

/** The action of this title, in folds too. */
export function actionOf(card: unknown, title: string): Json {
  const found = every(card).find(
    (one) => String(one['type']).startsWith('Action.') && one['title'] === title && !('card' in one),
  );
  if (found === undefined) {
    const titles = every(card).flatMap((one) =>
      String(one['type']).startsWith('Action.') ? [one['title']] : [],
    );
    throw new Error(`There is no button "${title}", only: ${titles.join(', ')}`);
  }
  return found;
}

/** The inputs of a form. */
export function inputsOf(card: unknown): readonly Json[] {
  return every(card).filter((one) => String(one['type']).startsWith('Input.'));
}
