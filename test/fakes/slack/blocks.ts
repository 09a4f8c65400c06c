/** Anything that came as JSON. */
export type Json = Record<string, unknown>;

/** What Slack would say against these blocks; empty when they are fine. Written from Slack's documentation alone. */
export function faultsOf(blocks: unknown, where: 'message' | 'view'): readonly string[] {
  if (!Array.isArray(blocks)) {
    return ['blocks is not an array'];
  }
  const faults: string[] = [];
  const max = where === 'message' ? 50 : 100;
  if (blocks.length > max) {
    faults.push(`no more than ${max} items allowed [json-pointer:/blocks]`);
  }
  const ids = new Set<string>();
  for (const [index, block] of blocks.entries()) {
    const at = `[json-pointer:/blocks/${index}]`;
    const say = (fault: string) => faults.push(`${fault} ${at}`);
    const one = block as Json;
    const id = one['block_id'];
    if (typeof id === 'string') {
      if (ids.has(id)) {
        say(`block_id ${id} already exists`);
      }
      ids.add(id);
      within(id, 1, 255, 'block_id', say);
    }
    checkBlock(one, where, say);
  }
  return faults;
}

/** What Slack would say against a view; `first` is what views.* answers as the error. */
export function viewFaults(view: Json): readonly string[] {
  const faults = [...faultsOf(view['blocks'], 'view')];
  const say = (fault: string) => faults.push(fault);
  if (view['type'] === 'modal') {
    text(view['title'], 24, 'title', say, true);
    if (view['submit'] !== undefined) {
      text(view['submit'], 24, 'submit', say, true);
    }
    if (view['close'] !== undefined) {
      text(view['close'], 24, 'close', say, true);
    }
    const inputs = (view['blocks'] as Json[]).some((block) => block['type'] === 'input');
    if (inputs && view['submit'] === undefined) {
      say('submit is required when there are input blocks');
    }
  }
  if (String(view['private_metadata'] ?? '').length > 3000) {
    say('private_metadata is over 3000 characters');
  }
  return faults;
}

type Say = (fault: string) => void;

function checkBlock(block: Json, where: 'message' | 'view', say: Say): void {
  switch (block['type']) {
    case 'divider':
      break;
    case 'header':
      text(block['text'], 150, 'header', say, true);
      break;
    case 'section':
      checkSection(block, say);
      break;
    case 'context':
      items(block['elements'], 1, 10, 'context', say, (element) => text(element, 3000, 'context', say));
      break;
    case 'actions':
      checkActions(block['elements'], say);
      break;
    case 'input':
      checkInput(block, where, say);
      break;
    default:
      say(`unsupported type: ${String(block['type'])}`);
  }
}

function checkActions(elements: unknown, say: Say): void {
  const ids = new Set<unknown>();
  items(elements, 1, 25, 'actions', say, (element) => {
    if (ids.has(element['action_id'])) {
      say(`action_id ${String(element['action_id'])} already exists`);
    }
    ids.add(element['action_id']);
    checkElement(element, say);
  });
}

function checkInput(block: Json, where: 'message' | 'view', say: Say): void {
  if (where === 'message') {
    say('input blocks are for views');
  }
  text(block['label'], 2000, 'label', say, true);
  if (block['hint'] !== undefined) {
    text(block['hint'], 2000, 'hint', say, true);
  }
  checkElement(block['element'] as Json, say);
}

function checkSection(block: Json, say: Say): void {
  if (block['text'] === undefined && block['fields'] === undefined) {
    say('a section needs text or fields');
  }
  if (block['text'] !== undefined) {
    text(block['text'], 3000, 'section', say);
  }
  if (block['fields'] !== undefined) {
    items(block['fields'], 1, 10, 'fields', say, (field) => text(field, 2000, 'field', say));
  }
}

function checkElement(element: Json, say: Say): void {
  within(String(element['action_id'] ?? ''), 1, 255, 'action_id', say);
  if (element['placeholder'] !== undefined) {
    text(element['placeholder'], 150, 'placeholder', say, true);
  }
  const check = ELEMENTS[String(element['type'])];
  if (check === undefined) {
    say(`unsupported element: ${String(element['type'])}`);
  }
  check?.(element, say);
}

const ELEMENTS: Readonly<Record<string, (element: Json, say: Say) => void>> = {
  button: checkButton,
  static_select: (element, say) => checkOptions(element['options'], 100, say),
  multi_static_select: (element, say) => checkOptions(element['options'], 100, say),
  checkboxes: (element, say) => checkOptions(element['options'], 10, say),
  external_select: (element, say) => {
    if (element['initial_option'] !== undefined) {
      checkOption(element['initial_option'] as Json, say);
    }
  },
  multi_external_select: (element, say) => {
    if (element['initial_options'] !== undefined) {
      checkOptions(element['initial_options'], 100, say);
    }
  },
  plain_text_input: (element, say) => {
    if (String(element['initial_value'] ?? '').length > Number(element['max_length'] ?? 3000)) {
      say('initial_value is longer than max_length');
    }
    if (Number(element['max_length'] ?? 1) > 3000) {
      say('max_length is over 3000');
    }
  },
  number_input: (element, say) => {
    if (typeof element['is_decimal_allowed'] !== 'boolean') {
      say('is_decimal_allowed is required');
    }
  },
};

function checkButton(element: Json, say: Say): void {
  text(element['text'], 75, 'button', say, true);
  if (String(element['value'] ?? '').length > 2000) {
    say('the value of a button is over 2000 characters');
  }
  if (String(element['url'] ?? '').length > 3000) {
    say('the url of a button is over 3000 characters');
  }
  const confirm = element['confirm'] as Json | undefined;
  if (confirm !== undefined) {
    text(confirm['title'], 100, 'confirm title', say, true);
    text(confirm['text'], 300, 'confirm text', say);
    text(confirm['confirm'], 30, 'confirm button', say, true);
    text(confirm['deny'], 30, 'deny button', say, true);
  }
}

/** What Slack would say against a list of options. */
export function checkOptions(options: unknown, max: number, say: Say): void {
  items(options, 1, max, 'options', say, (option) => checkOption(option, say));
}

function checkOption(option: Json, say: Say): void {
  text(option['text'], 75, 'option', say, true);
  within(String(option['value'] ?? ''), 1, 75, 'option value', say);
  if (option['description'] !== undefined) {
    text(option['description'], 75, 'option description', say, true);
  }
}

function items(
  list: unknown,
  min: number,
  max: number,
  what: string,
  say: Say,
  each: (item: Json) => void,
): void {
  if (!Array.isArray(list) || list.length < min || list.length > max) {
    say(`${what}: between ${min} and ${max} items, not ${Array.isArray(list) ? list.length : 'none'}`);
    return;
  }
  for (const item of list) {
    each(item as Json);
  }
}

function text(object: unknown, max: number, what: string, say: Say, plainOnly = false): void {
  const { type, text: words } = (object ?? {}) as Json;
  if (type !== 'plain_text' && (plainOnly || type !== 'mrkdwn')) {
    say(`${what}: text of type ${String(type)}`);
  }
  within(String(words ?? ''), 1, max, what, say);
}

function within(words: string, min: number, max: number, what: string, say: Say): void {
  if (words.length < min || words.length > max) {
    say(`${what}: between ${min} and ${max} characters, not ${words.length}`);
  }
}
