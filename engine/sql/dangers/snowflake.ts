import type { Dangers } from './dangers.ts';

export const snowflake: Dangers = {
  openers: ['select', 'with', 'values'],
  functions: [
    ['operates the account', /^system\$(?!typeof$)/],
    ['names what it reads by a text', /^identifier$/],
    ['asks a model outside, row by row, at a price', /(^|\.)(ai_\w+|cortex\.\w+)$/],
    ['makes links for others', /^(get_presigned_url|build_scoped_file_url|build_stage_file_url)$/],
  ],
  phrases: [
    ['would run another statement', /^- > >/],
    ['would run a procedure', /^as procedure \(/],
    ['would run a procedure', /^call ("[^"]*"|[^ ]+) (\(|\.)/],
    ['would move a sequence on', /^\. "?nextval\b/],
  ],
};
