import { code, context, text } from '../../engine/cards/build.ts';
import type { Step } from '../../engine/contracts/command.ts';
import { field, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Column } from '../../engine/contracts/source.ts';
import { LetterText } from '../../engine/mail/letter.ts';
import { triggers } from '../../engine/model/alert.ts';
import { mailSettings } from '../../engine/model/mail.ts';
import { personalColumns } from '../../engine/personal/columns.ts';
import type { Services } from '../../engine/services.ts';
import { alertFields, hole, queryOf, slug, suggestedText } from '../alert-fields.ts';
import type { SyncKind } from './kind.ts';
import { numberOr } from './numbers.ts';

const yesNo = { yes: 'Yes', no: 'No' } as const;

/** What the narrowest form takes. Longer HTML comes in a file and stays as it is when a form leaves it empty. */
const mostInForm = 3000;

const fields = {
  to: field.lookup({
    label: 'Write to',
    lookup: 'columns',
    help: 'The column with the e-mail address of the person.',
  }),
  trigger: field.choice({ label: 'Write when', of: triggers }),
  repeat: field.choice({
    label: 'How often per row',
    of: { no: 'Once, for ever', yes: 'Each time it happens' },
  }),
  watch: alertFields.watch,
  column: field.lookup({ label: 'Column', lookup: 'columns', help: 'The number that is watched.' }),
  test: alertFields.test,
  limit: alertFields.limit,
  subject: field.text({ label: 'Subject', help: 'Values as {{ column }}.', max: 300 }),
  text: field.area({
    label: 'Text',
    language: 'liquid',
    help: 'Values as {{ column }}; *bold* and [links](https://…) work in the HTML part.',
    max: mostInForm,
  }),
  html: field.optional(
    field.area({
      label: 'HTML',
      language: 'liquid',
      help: 'Left empty, it is made from the text. Longer HTML than this comes in a file: /activate apply.',
      max: mostInForm,
    }),
  ),
  footer: field.optional(
    field.text({ label: 'Small print', help: 'Who writes, and where they are found.', max: 500 }),
  ),
  unsubscribe: field.choice({ label: 'Link to unsubscribe', of: yesNo }),
  list: field.optional(
    field.text({
      label: 'List',
      help: 'What people take themselves off, shared by mailings of one name. Its own name when empty.',
      max: 60,
    }),
  ),
  existing: field.choice({
    label: 'Rows there already',
    of: { known: 'Write to nobody about them', say: 'Write about them too' },
  }),
  atMost: field.optional(
    field.number({
      label: 'At most at once',
      min: 1,
      whole: true,
      help: 'Stop and ask when a run would send more. 200 when empty.',
    }),
  ),
};

const columnsOf = async (raw: Raw, services: Services): Promise<readonly Column[]> =>
  services.models.columns(raw['source'] ?? '', await queryOf(raw, services));

const whom: Step<Services> = {
  title: 'To whom, and when',
  fields: () => ['to', 'trigger', 'repeat'],
  prepare: async (raw, _caller, services) => {
    const columns = await columnsOf(raw, services);
    const emails = [...personalColumns(columns, undefined)].filter(([, kind]) => kind === 'email');
    const [email] = emails[0] ?? [];
    return {
      intro: [text('Each person gets a mail of their own. Nobody sees who else was written to.')],
      initial: { ...(email === undefined ? {} : { to: email }), trigger: 'added', repeat: 'no' },
    };
  },
  check: async (raw, _caller, services) => {
    const names = (await columnsOf(raw, services)).map((column) => column.name);
    return names.includes(raw['to'] ?? '')
      ? {}
      : { to: `There is no column "${raw['to'] ?? ''}". The columns are: ${names.join(', ')}.` };
  },
};

const watched: Step<Services> = {
  title: 'Which changes',
  fields: (raw) => (raw['trigger'] === 'changed' ? ['watch'] : []),
};

const line: Step<Services> = {
  title: 'Which number',
  fields: (raw) => (raw['trigger'] === 'threshold' ? ['column', 'test', 'limit'] : []),
  prepare: async () => ({ initial: { test: 'above' } }),
};

const letter: Step<Services> = {
  title: 'The mail',
  fields: () => ['subject', 'text', 'html', 'footer'],
  prepare: async (raw, _caller, services) => {
    const columns = await columnsOf(raw, services);
    const { title, message } = suggestedText(columns.filter(({ name }) => name !== raw['to']));
    const more =
      raw['trigger'] === 'changed'
        ? [context('The value before the change: ', code('{{ previous.column }}'))]
        : [];
    return {
      intro: [context('At hand: ', ...columns.flatMap(({ name }) => [code(hole(name)), ' '])), ...more],
      initial: { subject: title, text: message.replaceAll(/ ?\| mention ?/g, ' ') },
    };
  },
  check: async (raw, _caller, services) => {
    const texts = {
      subject: raw['subject'] ?? '',
      text: raw['text'] ?? '',
      ...(await htmlOf(raw, services)),
      footer: raw['footer'] ?? '',
      unsubscribeLabel: '',
    };
    // Compiling throws at the text that is at fault.
    new LetterText(texts, await columnsOf(raw, services));
    return {};
  },
};

const care: Step<Services> = {
  title: 'With care',
  fields: () => ['unsubscribe', 'list', 'existing', 'atMost'],
  prepare: async () => ({
    intro: [
      text(
        'Who took themselves off a list is skipped and counted. See them: ',
        code('/activate suppressions'),
      ),
    ],
    initial: { unsubscribe: 'yes', existing: 'known', atMost: '200' },
  }),
};

export const mail: SyncKind = {
  intro: 'Each row that the query gives becomes a mail to the person it is about.',
  fields,
  parts: ['mail'],
  steps: [whom, watched, line, letter, care],
  suggestedName: (raw) =>
    slug(`mail-${(raw['subject'] ?? '').replaceAll(/\{\{.*?\}\}/g, '')}`) || 'mail-customers',
  framework: () => 'mail',
  settings: async (raw, _columns, services) => ({
    to: raw['to'] ?? '',
    trigger: raw['trigger'] ?? 'added',
    watch: raw['trigger'] === 'changed' ? splitMany(raw['watch'] ?? '') : [],
    ...thresholdOf(raw),
    subject: raw['subject'] ?? '',
    text: raw['text'] ?? '',
    ...(await htmlOf(raw, services)),
    footer: raw['footer'] ?? '',
    unsubscribe: raw['unsubscribe'] !== 'no',
    ...((raw['list'] ?? '') === '' ? {} : { list: slug(raw['list'] ?? '') }),
    repeat: raw['repeat'] === 'yes',
    silentFirst: raw['existing'] !== 'say',
    atMost: numberOr(raw['atMost'], 200),
  }),
  answers: (sync) => {
    const settings = mailSettings.parse(sync.settings);
    const { threshold, html = '' } = settings;
    return {
      to: settings.to,
      trigger: settings.trigger,
      repeat: settings.repeat ? 'yes' : 'no',
      watch: settings.watch.length === 0 ? '' : JSON.stringify(settings.watch),
      ...(threshold === undefined
        ? {}
        : { column: threshold.column ?? '', test: threshold.test, limit: String(threshold.limit) }),
      subject: settings.subject,
      text: settings.text,
      html: html.length > mostInForm ? '' : html,
      footer: settings.footer,
      unsubscribe: settings.unsubscribe ? 'yes' : 'no',
      list: settings.list ?? '',
      existing: settings.silentFirst ? 'known' : 'say',
      atMost: String(settings.atMost),
    };
  },
};

function thresholdOf(raw: Raw): object {
  return raw['trigger'] === 'threshold'
    ? {
        threshold: {
          on: 'value',
          column: raw['column'] ?? '',
          test: raw['test'] ?? '',
          limit: Number(raw['limit']),
        },
      }
    : {};
}

/** The HTML that was written, or the one that no form could show. */
async function htmlOf(raw: Raw, services: Services): Promise<{ readonly html?: string }> {
  const { html = '', sync } = raw;
  if (html !== '') {
    return { html };
  }
  if (sync === undefined) {
    return {};
  }
  const detail = await services.syncs.show(sync);
  const before = detail.sync.framework === 'mail' ? mailSettings.parse(detail.sync.settings).html : undefined;
  return before !== undefined && before.length > mostInForm ? { html: before } : {};
}
