/** Markdown as this project writes it: tables with aligned columns, sections between markers. */
import { WeftError } from '../../control/errors.ts';

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const width = header.map((_, i) => Math.max(3, ...all.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(width[i])).join(' | ')} |`;
  const rule = `| ${width.map((n) => '-'.repeat(n)).join(' | ')} |`;
  return [line(all[0]), rule, ...all.slice(1).map(line)].join('\n');
}

export const BEGIN = '<!-- benchmarks: written by `weft bench report`, do not edit -->';
export const END = '<!-- benchmarks end -->';

/** What is between the markers. @throws WeftError when they are not there once, in this order */
export function sectionOf(text: string): string {
  const [begin, end] = bounds(text);
  return text.slice(begin, end);
}

export function replaceSection(text: string, section: string): string {
  const [begin, end] = bounds(text);
  return `${text.slice(0, begin)}${section}${text.slice(end)}`;
}

function bounds(text: string): [number, number] {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin || text.indexOf(BEGIN, begin + 1) >= 0 || text.indexOf(END, end + 1) >= 0) {
    throw new WeftError('failed', `expected '${BEGIN}' and behind it '${END}', each once`);
  }
  return [begin + BEGIN.length, end];
}
