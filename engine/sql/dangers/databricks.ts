import type { Dangers } from './dangers.ts';

export const databricks: Dangers = {
  openers: ['select', 'with', 'values', 'table', 'from'],
  functions: [
    ['asks a model outside, row by row, at a price', /^(ai_\w+|vector_search)$/],
    ['calls a web address', /^http_request$/],
    ['runs a program', /^((try_)?reflect|java_method)$/],
    ['runs text as SQL in another database', /^remote_query$/],
    [
      'reads files or streams',
      /^(read_files|cloud_files\w*|read_(kafka|kinesis|pubsub|pulsar|statestore|state_metadata))$/,
    ],
    ['reads secrets', /^((try_)?secret|list_secrets)$/],
    ['names what it reads by a text', /^identifier$/],
  ],
  phrases: [
    ['would change data', /^insert (overwrite|into)\b/],
    ['would run a program', /^using '/],
    [
      'would read files',
      /^"?(csv|json|parquet|orc|text|avro|delta|iceberg|xml|binaryfile|jdbc|image|libsvm)"? \. "[^"]*[/:]/,
    ],
  ],
  // It takes the place of a setting before anything is read, inside quotes too.
  never: ['would be replaced by a setting', /\$\{[^}]{0,40}}?/],
};
