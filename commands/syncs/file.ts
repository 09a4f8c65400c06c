import { context } from '../../engine/cards/build.ts';
import type { Step } from '../../engine/contracts/command.ts';
import { field, splitMany } from '../../engine/contracts/form.ts';
import { fileCompressions, fileContents, fileFormats, filesSettings } from '../../engine/model/files.ts';
import type { Services } from '../../engine/services.ts';
import { slug } from '../alert-fields.ts';
import type { SyncKind } from './kind.ts';

const yesNo = { yes: 'Yes', no: 'No' } as const;

const fields = {
  content: field.choice({ label: 'Rows', of: fileContents }),
  format: field.choice({ label: 'Format', of: fileFormats }),
  compression: field.choice({ label: 'Compression', of: fileCompressions }),
  path: field.text({
    label: 'File name',
    help: 'With {{ date }}, {{ yyyy }}, {{ mm }}, {{ dd }}, {{ hh }}, {{ min }}, {{ model }}, {{ run }}, {{ part }}.',
    max: 300,
  }),
  columns: field.optional(
    field.lookups({ label: 'Columns', lookup: 'columns', help: 'In their order; all when left empty.' }),
  ),
  delimiter: field.choice({
    label: 'Delimiter (CSV)',
    of: { comma: 'Comma', semicolon: 'Semicolon', tab: 'Tab', pipe: 'Pipe' },
  }),
  header: field.choice({ label: 'Names first (CSV)', of: yesNo }),
  nulls: field.optional(
    field.text({ label: 'Empty value (CSV)', help: 'How it is written; nothing when left empty.', max: 20 }),
  ),
  spreadsheet: field.choice({ label: 'For spreadsheets', of: yesNo }),
  splitRows: field.optional(
    field.number({ label: 'Rows per part', min: 1, whole: true, help: 'Splits the file; needs {{ part }}.' }),
  ),
  splitMegabytes: field.optional(
    field.number({
      label: 'MB per part',
      min: 1,
      whole: true,
      help: 'Of the text, before compression; needs {{ part }}.',
    }),
  ),
  overwrite: field.choice({ label: 'Replace files', of: { no: 'No, never', yes: 'Yes, of the same name' } }),
  whenEmpty: field.choice({
    label: 'Without rows',
    of: { skip: 'Write no file', write: 'Write an empty one' },
  }),
};

const delimiters = { comma: ',', semicolon: ';', tab: '\t', pipe: '|' } as const;

const what: Step<Services> = {
  title: 'Which file',
  fields: () => ['content', 'format', 'compression', 'path', 'columns'],
  prepare: async (raw) => ({
    intro: [context('The file appears under its name once it is complete.')],
    initial: {
      content: 'full',
      format: 'csv',
      compression: 'none',
      path: `{{ sync }}/{{ date }}-{{ run }}.${extension(raw['format'])}`,
    },
  }),
  check: async (raw) => {
    const ending = /\.(csv|ndjson|parquet)\b/.exec(raw['path'] ?? '')?.[1];
    const wanted = extension(raw['format']);
    return ending === undefined || ending === wanted
      ? {}
      : { path: `The name says .${ending}, and the file is of another format: write .${wanted}.` };
  },
};

function extension(format: string | undefined): string {
  return format === 'ndjson' || format === 'parquet' ? format : 'csv';
}

const csv: Step<Services> = {
  title: 'How CSV is written',
  fields: (raw) => (raw['format'] === 'csv' ? ['delimiter', 'header', 'nulls', 'spreadsheet'] : []),
  prepare: async () => ({ initial: { delimiter: 'comma', header: 'yes', spreadsheet: 'no' } }),
};

const details: Step<Services> = {
  title: 'Parts and names',
  fields: () => ['splitRows', 'splitMegabytes', 'overwrite', 'whenEmpty'],
  prepare: async () => ({ initial: { overwrite: 'no', whenEmpty: 'skip' } }),
};

export const file: SyncKind = {
  intro: 'The rows that the query gives are written to a file at each run.',
  fields,
  parts: ['files'],
  steps: [what, csv, details],
  suggestedName: (raw) => slug(`export-to-${raw['destination'] ?? 'files'}`),
  framework: () => 'files',
  settings: async (raw) => ({
    content: raw['content'],
    format: raw['format'],
    compression: raw['compression'] ?? 'none',
    path: raw['path'] ?? '',
    columns: splitMany(raw['columns'] ?? ''),
    delimiter: delimiters[(raw['delimiter'] ?? 'comma') as keyof typeof delimiters] ?? ',',
    header: raw['header'] !== 'no',
    nulls: raw['nulls'] ?? '',
    forSpreadsheets: raw['spreadsheet'] === 'yes',
    ...((raw['splitRows'] ?? '') === '' ? {} : { splitRows: Number(raw['splitRows']) }),
    ...((raw['splitMegabytes'] ?? '') === ''
      ? {}
      : { splitBytes: Number(raw['splitMegabytes']) * 1_000_000 }),
    overwrite: raw['overwrite'] === 'yes',
    whenEmpty: raw['whenEmpty'] ?? 'skip',
  }),
  answers: (sync) => {
    const settings = filesSettings.parse(sync.settings);
    const [delimiter] = Object.entries(delimiters).find(([, sign]) => sign === settings.delimiter) ?? [
      'comma',
    ];
    return {
      content: settings.content,
      format: settings.format,
      compression: settings.compression,
      path: settings.path,
      columns: settings.columns.length === 0 ? '' : JSON.stringify(settings.columns),
      delimiter,
      header: settings.header ? 'yes' : 'no',
      nulls: settings.nulls,
      spreadsheet: settings.forSpreadsheets ? 'yes' : 'no',
      splitRows: settings.splitRows === undefined ? '' : String(settings.splitRows),
      splitMegabytes:
        settings.splitBytes === undefined ? '' : String(Math.ceil(settings.splitBytes / 1_000_000)),
      overwrite: settings.overwrite ? 'yes' : 'no',
      whenEmpty: settings.whenEmpty,
    };
  },
};
