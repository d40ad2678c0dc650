/** What is published follows from the results that are committed, and from nothing else. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bars, growth, loadEcharts, ratios } from '../../bench/report/chart.ts';
import { FOLDER, reportFiles } from '../../bench/report/files.ts';
import { BEGIN, END, markdownTable, replaceSection, sectionOf } from '../../bench/report/markdown.ts';
import { readPublished } from '../../bench/report/published.ts';
import { readmeSection } from '../../bench/report/readme.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const published = readPublished(join(root, FOLDER));
const echarts = await loadEcharts();
const value = { median: 2, least: 1, most: 3 };

describe('README', () => {
  it('has the table that follows from the committed results', () => {
    expect(sectionOf(readFileSync(join(root, 'README.md'), 'utf8'))).toBe(readmeSection(published));
  });

  it('says when and on what', () => {
    const { fabric } = published;
    expect(fabric).toBeDefined();
    if (!fabric) return;
    const section = readmeSection(published);
    expect(section).toContain(fabric.begun.slice(0, 10));
    expect(section).toContain(fabric.machine.processor);
    expect(section).toContain(fabric.machine.kernel);
    expect(section.match(/^\| .*(reached|missed|too few cores here) +\|$/gm)?.length).toBeGreaterThan(0);
  });
});

describe('docs/benchmarks', () => {
  it('is what weft bench report writes', async () => {
    const files = await reportFiles(root);
    expect(files.size).toBeGreaterThan(2);
    for (const [path, text] of files) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(readFileSync(join(root, path), 'utf8') === text, path).toBe(true);
    }
    const plots = readdirSync(join(root, FOLDER)).filter((name) => name.endsWith('.svg'));
    expect(plots.filter((name) => !files.has(`${FOLDER}/${name}`))).toEqual([]);
  });
});

describe('markdown', () => {
  it('aligns columns', () => {
    expect(markdownTable(['a', 'long'], [['b|c', 'd']])).toBe(
      '| a    | long |\n| ---- | ---- |\n| b\\|c | d    |',
    );
  });

  it('replaces what is between the markers and nothing else', () => {
    const text = `before\n${BEGIN}old${END}\nafter`;
    expect(sectionOf(text)).toBe('old');
    expect(replaceSection(text, '$& new')).toBe(`before\n${BEGIN}$& new${END}\nafter`);
  });

  it.each(['', BEGIN, `${END}${BEGIN}`, `${BEGIN}${BEGIN}${END}`])('wants both markers once: %j', (text) => {
    expect(() => sectionOf(text)).toThrow(/each once/);
  });
});

describe('plots', () => {
  const drawAll = () => ({
    bars: bars(echarts, 'Title', 'unit', [
      { label: 'One', value, own: true },
      { label: 'Two', value, own: false },
    ]),
    ratios: ratios(echarts, 'Title', 'note', [
      { label: 'One', value, goal: { value: 1.5, reached: true } },
      { label: 'Two', value },
    ]),
    growth: growth(echarts, 'Title', { x: 'count', y: 'value' }, [{ label: 'One', points: [[1, 2], [10, 3]] }]), // biome-ignore format: short
  });
  const plots = drawAll();

  it('are the same each time', () => {
    expect(drawAll()).toEqual(plots);
  });

  it.each(Object.entries(plots))('%s: XML, as an image has to be', (_, svg) => {
    const parse = 'import sys, xml.dom.minidom; xml.dom.minidom.parseString(sys.stdin.read())';
    const { status, stderr } = spawnSync('python3', ['-c', parse], { input: svg, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  });

  it.each(Object.entries(plots))('%s: one SVG with its labels', (_, svg) => {
    expect(svg).toMatch(/^<svg role="img" aria-label="Title/);
    expect(svg.match(/<svg/g)).toHaveLength(1);
    expect(svg.trim().endsWith('</svg>')).toBe(true);
    expect(svg).toContain('>One</text>');
  });

  it.each(Object.entries(plots))('%s: every colour has another on dark ground', (_, svg) => {
    const [drawing, style] = svg.split('<style>');
    expect(style).toMatch(/^@media \(prefers-color-scheme:dark\)/);
    const used = new Set(
      [...drawing.matchAll(/(?:fill|stroke)="(#[0-9a-f]+|rgb[^"]*)"/g)].map(([, colour]) => colour),
    );
    expect(used.size).toBeGreaterThan(2);
    for (const colour of used) expect(style).toContain(`="${colour}"]`);
  });
});
