import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Run } from '../store/runs.ts';

const width = 720;
const height = 240;
const left = 52;
const bottom = 34;
const top = 34;

/** A picture of recent runs, oldest left: messages, or what was delivered, as bars, red where a run failed. PNG bytes. */
export async function runsChart(title: string, runs: readonly Run[]): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));
  const picture = new Resvg(draw(title, [...runs].reverse()), {
    fitTo: { mode: 'zoom', value: 2 },
    font: {
      fontFiles: [join(fonts, 'ttf', 'DejaVuSans.ttf')],
      loadSystemFonts: false,
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return picture.render().asPng();
}

function draw(title: string, runs: readonly Run[]): string {
  const values = runs.map(({ counts }) =>
    Object.values(counts.done ?? {}).reduce((sum, number) => sum + number, counts.messages ?? 0),
  );
  const most = Math.max(1, ...values);
  const step = (width - left - 16) / Math.max(runs.length, 12);
  const y = (value: number): number => height - bottom - (value / most) * (height - bottom - top);
  const bars = runs.map((run, at) => {
    const failed = run.state === 'failed' || (run.counts.failed ?? 0) > 0;
    const value = values[at] ?? 0;
    const tall = Math.max(failed ? 8 : 2, y(0) - y(value));
    const colour = failed ? '#d64545' : value > 0 ? '#2f6fed' : '#b8c4d6';
    return `<rect x="${(left + at * step + step * 0.15).toFixed(1)}" y="${(y(0) - tall).toFixed(1)}" width="${(step * 0.7).toFixed(1)}" height="${tall.toFixed(1)}" rx="2" fill="${colour}"/>`;
  });
  const marks = [0, most / 2, most]
    .filter((value, at, all) => Number.isInteger(value) && all.indexOf(value) === at)
    .map(
      (value) =>
        `<line x1="${left}" x2="${width - 16}" y1="${y(value)}" y2="${y(value)}" stroke="#e3e8ef"/>
         <text x="${left - 8}" y="${y(value) + 4}" text-anchor="end" font-size="11" fill="#5b6878">${value.toLocaleString('en')}</text>`,
    );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans">
    <rect width="100%" height="100%" fill="#ffffff"/>
    <text x="${left}" y="20" font-size="13" fill="#1d2733">${escapeXml(title)}</text>
    ${marks.join('')}${bars.join('')}
    <text x="${left}" y="${height - 12}" font-size="11" fill="#5b6878">${clock(runs[0])}</text>
    <text x="${width - 16}" y="${height - 12}" text-anchor="end" font-size="11" fill="#5b6878">${clock(runs.at(-1))}</text>
  </svg>`;
}

function clock(run: Run | undefined): string {
  return run === undefined ? '' : `${run.dueAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function escapeXml(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
