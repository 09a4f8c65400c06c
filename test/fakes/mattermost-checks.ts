import { type Json, runes } from './mattermost-state.ts';

/** What a server of this version would not show, or would warn of, in a dialog. */
export function dialogFaults(dialog: Json, version: string): string[] {
  const faults: string[] = [];
  const old = Number(version.split('.')[0]) < 11;
  const bytes = (value: unknown): number => Buffer.byteLength(String(value ?? ''));
  if (bytes(dialog['title']) === 0 || bytes(dialog['title']) > 24) {
    faults.push(`invalid dialog title "${String(dialog['title'])}"`);
  }
  const elements = (dialog['elements'] ?? []) as Json[];
  const names = elements.map((element) => String(element['name']));
  if (new Set(names).size < names.length) {
    faults.push('duplicate dialog element');
  }
  for (const element of elements) {
    const fault = (text: string): void => {
      faults.push(`${String(element['name'])}: ${text}`);
    };
    if (bytes(element['display_name']) === 0 || bytes(element['display_name']) > 24) {
      fault('display_name is empty or longer than 24');
    }
    if (bytes(element['help_text']) > 150) {
      fault('help_text is longer than 150');
    }
    elementFaults(element, old, fault);
  }
  if (old && dialog['source_url'] !== undefined) {
    faults.push('source_url is unknown before 11.1');
  }
  return faults;
}

function elementFaults(element: Json, old: boolean, fault: (text: string) => void): void {
  const preset = String(element['default'] ?? '');
  switch (element['type']) {
    case 'text':
      if (Buffer.byteLength(preset) > 150 || Buffer.byteLength(String(element['placeholder'] ?? '')) > 150) {
        fault('default or placeholder is longer than 150');
      }
      return;
    case 'textarea':
      if (runes(preset) > 3000) {
        fault('default is longer than 3000');
      }
      return;
    case 'select':
      if (old && (element['multiselect'] === true || element['refresh'] === true)) {
        fault('multiselect and refresh are unknown before 11');
      }
      selectFaults(element, preset, old, fault);
      return;
    default:
      fault(`unknown type ${String(element['type'])}`);
  }
}

function selectFaults(element: Json, preset: string, old: boolean, fault: (text: string) => void): void {
  const options = (element['options'] ?? []) as { text: string; value: string }[];
  if (element['data_source'] === 'dynamic') {
    if (old || !String(element['data_source_url']).startsWith('https://')) {
      fault('a dynamic select is unknown before 11, and wants HTTPS');
    }
    return;
  }
  const values = element['multiselect'] === true ? preset.split(',') : [preset];
  if (preset !== '' && !values.every((value) => options.some((option) => option.value === value))) {
    fault(`default "${preset}" is none of the options`);
  }
  if (options.some((option) => option.text === '' || option.value === '')) {
    fault('an option is empty');
  }
}

/** What a server refuses a post for, by its own name; undefined when it takes it. */
export function postRefusal(post: Json): string | undefined {
  if (runes(String(post['message'] ?? '')) > 16_383) {
    return 'model.post.is_valid.msg.app_error';
  }
  if (runes(JSON.stringify(post['props'] ?? {})) > 800_000) {
    return 'model.post.is_valid.props.app_error';
  }
  if (runes(JSON.stringify(post['file_ids'] ?? [])) > 300) {
    return 'model.post.is_valid.file_ids.app_error';
  }
  return undefined;
}

/** What newer servers find wrong with the attachments of a post. */
export function attachmentFaults(attachments: unknown): string[] {
  const actions = ((attachments ?? []) as Json[]).flatMap((one) => (one['actions'] ?? []) as Json[]);
  return actions.flatMap((action) =>
    actionFaults(action).map((fault) => `action ${String(action['id'])} ${fault}`),
  );
}

function actionFaults(action: Json): string[] {
  const integration = action['integration'] as Json | undefined;
  const options = (action['options'] ?? []) as { text: string; value: string }[];
  return [
    ...(['button', 'select'].includes(String(action['type'])) ? [] : ['is of no type']),
    ...(String(action['name'] ?? '') === '' ? ['has no name'] : []),
    ...(/^https?:\/\//.test(String(integration?.['url'])) ? [] : ['leads nowhere']),
    ...((action['type'] === 'select') === (options.length === 0) ? ['has the wrong options'] : []),
    ...(options.every((option) => option.text !== '' && option.value !== '') ? [] : ['has an empty option']),
  ];
}
