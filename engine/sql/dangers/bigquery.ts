import type { Dangers } from './dangers.ts';

export const bigquery: Dangers = {
  openers: ['select', 'with', 'from'],
  functions: [
    ['runs text as SQL in another database', /^external_query$/],
    [
      'asks a model outside, row by row, at a price',
      /(^|\.)(ai\.(generate|if$|score$|classify|embed|similarity|search|agg|extract)\w*|ml\.(generate_(text|embedding|table)|translate|understand_text|annotate_image|process_document|transcribe)\w*)/,
    ],
    ['makes links for others', /(^|\.)obj\.get_access_url$/],
  ],
  phrases: [
    [
      'would do more than read',
      /^\| > (insert|export|create|update|delete|merge|call|fork|tee|drop|alter|load)\b/,
    ],
  ],
};
