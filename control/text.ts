/** Text for people: tables with aligned columns, quantities, durations. Knows nothing of what is shown. */

/** Numbers and sizes (bytesText) are aligned to the right. */
export type Cell = string | number;

/** Lines of a table, its columns two spaces apart; a column whose cells are all empty is left out. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const used = header.map((_, i) => i).filter((i) => rows.length === 0 || rows.some((row) => row[i] !== ''));
  const width = used.map((i) => Math.max(header[i].length, ...rows.map((row) => String(row[i]).length)));
  const right = used.map((i) => rows.length > 0 && rows.every((row) => isQuantity(row[i])));
  const line = (cells: readonly Cell[]) =>
    used
      .map((i, n) => (right[n] ? String(cells[i]).padStart(width[n]) : String(cells[i]).padEnd(width[n])))
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}

const isQuantity = (cell: Cell) => typeof cell === 'number' || /^[\d.]+ ([KMGTP]i)?B$/.test(cell);

/** 'name   value' lines, the values below each other. */
export function list(rows: readonly (readonly [name: string, value: Cell])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n');
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** '512 B', '1.5 MiB'. */
export function bytesText(bytes: number): string {
  const unit = bytes < 1024 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${unit === 0 ? bytes : (bytes / 1024 ** unit).toFixed(1)} ${BYTE_UNITS[unit]}`;
}

const RATE_UNITS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s', 'Pbit/s'];

/** '800 bit/s', '10 Mbit/s', '2.5 Gbit/s'. */
export function rateText(bits: number): string {
  const unit = bits < 1000 ? 0 : Math.min(RATE_UNITS.length - 1, Math.floor(Math.log10(bits) / 3));
  return `${Number((bits / 1000 ** unit).toFixed(1))} ${RATE_UNITS[unit]}`;
}

/** '42s', '3m 5s', '2h 10m', '5d 3h'. */
export function durationText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first === -1 ? 3 : first, first === -1 ? 4 : first + 2)
    .map(([value, unit]) => `${value}${unit}`)
    .join(' ');
}
